"""The exporter: what a VOLTTRON platform is and does, as metrics for Prometheus."""

from voltscope.platform.bridge import Bridge, run


class Exporter(Bridge):
    """Bridge of the exporter engine; it alone watches health and devices."""

    engine = "exporter"
    watches = True


def main() -> None:
    """Entry point on both generations."""
    run(Exporter)


if __name__ == "__main__":  # monolithic starts `python -m voltscope_exporter.agent`
    main()
