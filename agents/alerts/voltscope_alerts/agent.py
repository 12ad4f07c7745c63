"""The alerts agent: what agents complain of on the bus goes to Alertmanager, and what fires there comes back."""

from typing import Any

from voltscope.platform.alerts import PREFIX
from voltscope.platform.bridge import CONFIG_TIMEOUT_S, Bridge, run
from voltscope.platform.imports import RPC, Core
from voltscope.platform.relay import AlertRelay

# Beyond the engine's own limit for a server that does not answer.
ACKNOWLEDGE_TIMEOUT_S = 20.0


class Alerts(Bridge):
    """Bridge of the alerts engine; it asks those agents for their health that have an alert open."""

    engine = "alerts"

    def __init__(self, config_path: Any = None, **kwargs: Any) -> None:
        super().__init__(config_path, **kwargs)
        self._relay = AlertRelay(self.ask, self._publish, self._subscribe, self._unsubscribe)
        self._asked = lambda: self._relay.watched

    @Core.receiver("onstart")
    def _on_alerts_start(self, sender: Any, **kwargs: Any) -> None:
        self.listen(PREFIX, self._relay.seen)
        self.core.spawn(self._relay.run)

    @RPC.export
    def alerts(self) -> Any:
        """What fires at this platform: `{"alerts", "at", "error"}`.

        `at`: as of when, in seconds since the epoch, `error` why it is not newer. What cannot be done is answered with
        `{"error": {"code", "message", "remedy"}}`, as by the other method.
        """
        return self.answer("alerts")

    @RPC.export
    def acknowledge(self, alert: str, why: str) -> Any:
        """Take the alert of that id, silenced until it is resolved. Needs `alertd` and a token in the configuration."""
        caller = str(self.vip.rpc.context.vip_message.peer)
        params = {"alert": alert, "why": why, "requested_by": caller}
        return self.answer("acknowledge", params, timeout=ACKNOWLEDGE_TIMEOUT_S)

    def _subscribe(self, prefix: str) -> None:
        self.vip.pubsub.subscribe("pubsub", prefix, self._relay.topic_seen).get(timeout=CONFIG_TIMEOUT_S)

    def _unsubscribe(self, prefix: str) -> None:
        self.vip.pubsub.unsubscribe("pubsub", prefix, self._relay.topic_seen).get(timeout=CONFIG_TIMEOUT_S)


def main() -> None:
    """Entry point on both generations."""
    run(Alerts)


if __name__ == "__main__":  # monolithic starts `python -m voltscope_alerts.agent`
    main()
