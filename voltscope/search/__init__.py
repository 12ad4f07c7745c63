"""Finding log records: the query language, the store on this machine, and the same questions to OpenSearch."""
