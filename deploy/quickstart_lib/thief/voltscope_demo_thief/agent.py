"""Subscribes, as many agents do by default, to the very prefix a historian holds: the router forgets the historian."""

from voltscope.platform.imports import STATUS_GOOD, Agent, Core, vip_main


class Thief(Agent):
    """All it does is to be there."""

    @Core.receiver("onstart")
    def _start(self, sender, **kwargs):
        self.vip.health.set_status(STATUS_GOOD)
        self.vip.pubsub.subscribe("pubsub", "devices", self._ignore, all_platforms=False).get(timeout=10)

    def _ignore(self, *message):
        """It has no use for what it takes away."""


def main():
    """Run it."""
    vip_main(lambda config_path=None, **kwargs: Thief(**kwargs), version="0.1.0")


if __name__ == "__main__":
    main()
