"""A small engine for tests of the link's life; run as a program it is `voltscope engine echo`."""

import os
import sys
import threading
import time

from voltscope.engine import registry
from voltscope.errors import ConfigError, UnknownMethod


class EchoEngine:
    """Answers with what it was asked, and does as told."""

    def __init__(self, context):
        self._context = context
        self._config = {}
        self._stopped = threading.Event()

    def configure(self, config):
        if "bad" in config:
            raise ConfigError("bad", repr(config["bad"]), "nothing")
        self._config = dict(config)

    def start(self):
        (self._context.data_dir / "started").write_text(str(os.getpid()))

    def handle(self, method, params):
        if method == "echo":
            return params
        if method == "config":
            return self._config
        if method == "facts":
            answer = self._context.facts(1.0)
            return {"instance": answer.facts and answer.facts.instance, "age": answer.age_s, "error": answer.error}
        if method == "large":
            return "x" * params["bytes"]
        if method == "crash":
            raise RuntimeError("a secret in an exception")
        if method == "die":
            os._exit(3)
        if method == "wait":
            time.sleep(params["seconds"])
            return "waited"
        raise UnknownMethod(f"the echo engine has no method {method!r}.")

    def stop(self):
        (self._context.data_dir / "stopped").write_text(str(os.getpid()))


registry.ENGINES["echo"] = "echo_engine:EchoEngine"

if __name__ == "__main__":
    sys.modules["echo_engine"] = sys.modules["__main__"]
    from voltscope.engine.main import main

    sys.exit(main())
