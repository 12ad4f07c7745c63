"""Complains on the bus as VOLTTRON's agents do, and remembers what comes back to it."""

from voltscope.platform.imports import GENERATION, RPC, STATUS_BAD, STATUS_GOOD, Agent, Core, vip_main

if GENERATION == "modular":
    from volttron.client.messaging.health import Status
else:
    from volttron.platform.messaging.health import Status

KEY = "too warm"


class ComplainingAgent(Agent):
    def __init__(self, config_path=None, **kwargs):
        super().__init__(**kwargs)
        self._heard = []

    @Core.receiver("onstart")
    def listen(self, sender, **kwargs):
        self.vip.pubsub.subscribe("pubsub", "voltscope/alerts/", self._hear).get(timeout=10)

    def _hear(self, peer, sender, bus, topic, headers, message):
        self._heard.append([topic, message])

    @RPC.export
    def heard(self):
        """Every alert that came back: topic and message."""
        return self._heard

    @RPC.export
    def complain(self, text):
        """Be ill, and say so."""
        self.vip.health.set_status(STATUS_BAD, text)
        self.vip.health.send_alert(KEY, Status.build(STATUS_BAD, context=text))

    @RPC.export
    def recover(self):
        """Be well, and say nothing: there is no word for it."""
        self.vip.health.set_status(STATUS_GOOD)

    @RPC.export
    def say_good(self):
        """Be well, and say so by an alert."""
        self.vip.health.send_alert(KEY, Status.build(STATUS_GOOD))
        self.vip.health.set_status(STATUS_GOOD)


def main():
    vip_main(ComplainingAgent)


if __name__ == "__main__":
    main()
