"""The log shipper: the platform's log, parsed, redacted, searchable here and sent on."""

from voltscope.platform.bridge import Bridge, run


class Logship(Bridge):
    """Bridge of the logship engine."""

    engine = "logship"


def main() -> None:
    """Entry point on both generations."""
    run(Logship)


if __name__ == "__main__":  # monolithic starts `python -m voltscope_logship.agent`
    main()
