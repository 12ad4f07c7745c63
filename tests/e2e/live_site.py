"""How the end-to-end tests look at a running site: its exposition, its Prometheus, its bus, its processes."""

import json
import os
import subprocess
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from voltscope.platform.home import instance_name

VIP_CALL = Path(__file__).with_name("vip_call.py")


def wait_for(condition, timeout=60.0, what="the condition"):
    """Wait until `condition()` is true; its value."""
    deadline = time.monotonic() + timeout
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come about in {timeout} s")
        time.sleep(0.1)


def fetch(url, **headers):
    """The body of a GET as text."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        return answer.read().decode()


def log_stamp():
    """This moment as the platform's log writes it, in the zone of this host."""
    return datetime.now().strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]


class Documents:
    """The OpenSearch of a site."""

    def __init__(self, url):
        self.url = url

    def ask(self, path, body):
        """The answer to a POST."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def find(self, index, query):
        """Up to a hundred documents; none while there is no such index."""
        return [hit["_source"] for hit in self.ask(f"/{index}/_search", {"size": 100, "query": query})["hits"]["hits"]]


class LiveSite:
    """A running site, from `quickstart status --json`; `venv` and `user_home` are the platform's own."""

    def __init__(self, status, venv=None, user_home=None, control="platform.control"):
        self.status = status
        self.control = control
        self.venv = venv or f"{status['home']}/venv"
        self.user_home = user_home or f"{status['home']}/user"
        self.home = Path(status["volttron_home"])
        self.instance = instance_name(self.home)
        owner = self.home.stat()
        self._user = {} if owner.st_uid == os.getuid() else {"user": owner.st_uid, "group": owner.st_gid}

    def __getitem__(self, key):
        return self.status[key]

    def scrape(self):
        """Every sample of the exporter: `{name: [(labels, value)]}`."""
        found = {}
        for family in text_string_to_metric_families(fetch(f"{self['exporter']}/metrics")):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found

    def value(self, name, **labels):
        """One sample's value at this moment; None when there is none."""
        return next((v for has, v in self.scrape().get(name, []) if labels.items() <= has.items()), None)

    def state(self, agent):
        """The state an agent is in, by the exporter."""
        rows = self.scrape().get("volttron_agent_state", [])
        return next((has["state"] for has, value in rows if has["agent"] == agent and value == 1), None)

    def query(self, promql):
        """An instant query's result in Prometheus."""
        answer = json.loads(fetch(f"{self['prometheus']}/api/v1/query?{urllib.parse.urlencode({'query': promql})}"))
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def run(self, *command, check=True, timeout=120):
        """A command's standard output."""
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout)
        if check:
            assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def vctl(self, *arguments, **options):
        """`vctl ARGUMENTS`."""
        return self.run(self["vctl"], *arguments, **options)

    def voltscope(self, *arguments, **options):
        """`voltscope ARGUMENTS`."""
        return self.run(self["voltscope"], *arguments, **options)

    def pid(self, agent):
        """The process of an agent, by the platform itself; None when it has none, or the platform does not answer."""
        found = self.rpc(self.control, "status_agents").get("result", [])
        return next((row[2][0] for row in found if row[3] == agent and row[2][1] is None), None)

    def rpc(self, identity, method, arguments=None, timeout=60):
        """Call a method over VIP: `{"result": …}` or `{"error": …}`."""
        environment = {
            "PATH": f"{self.venv}/bin:/usr/bin:/bin",
            "VOLTTRON_HOME": str(self.home),
            "VIRTUAL_ENV": self.venv,
            "HOME": self.user_home,
        }
        done = subprocess.run(
            [f"{self.venv}/bin/python3", "-", identity, method, json.dumps(arguments or {}), str(timeout)],
            input=VIP_CALL.read_text(),
            capture_output=True,
            text=True,
            cwd=self.home,
            env=environment,
            timeout=timeout + 60,
            extra_groups=[] if self._user else None,
            **self._user,
        )
        assert done.stdout, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    @contextmanager
    def console(self):
        """A client of the console, logged in as its operator."""
        headers = {"Origin": self["console"]}
        with httpx.Client(base_url=self["console"], headers=headers, trust_env=False, timeout=60) as client:
            answer = client.post("/login", data={"name": "operator", "secret": self.secret()})
            assert answer.status_code == 303, answer.text
            yield client

    def secret(self, role="operator"):
        """The secret of a role in the credential file."""
        users = json.loads(Path(self["credentials"]).read_text())["users"]
        return next(user["secret"] for user in users if user["role"] == role)
