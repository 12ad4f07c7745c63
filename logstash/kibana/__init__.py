"""What Kibana and OpenSearch Dashboards show of voltscope: saved objects made by code, and the queries behind them."""
