"""A flamegraph of any agent, by RPC, HTTP and command line."""

import json
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from live_site import LiveSite, fetch, wait_for

BUSY = Path(__file__).with_name("busy_agent")


@pytest.fixture(scope="module")
def live(site):
    return LiveSite(site)


@pytest.fixture(scope="module")
def busy(live):
    """An agent that spends seven tenths of its busy time in one function."""
    folder = Path(live["home"]) / "busy_agent"
    shutil.copytree(BUSY, folder, dirs_exist_ok=True)
    owner = live.home.stat()
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)
    live.vctl("install", str(folder), "--vip-identity", "test.busy", "--tag", "busy", "--start", timeout=300)
    wait_for(lambda: live.state("test.busy") == "running", timeout=120, what="the busy agent")
    yield "test.busy"
    live.vctl("remove", "--tag", "busy", check=False)


def shares(folded):
    """The share of samples in which each function is on the stack."""
    counts, total = {}, 0
    for line in folded.splitlines():
        stack, _, count = line.rpartition(" ")
        total += int(count)
        for function in {frame.split(" ")[0] for frame in stack.split(";")}:
            counts[function] = counts.get(function, 0) + int(count)
    return {function: count / total for function, count in counts.items()}, total


def test_rpc_names_the_hot_function_with_its_share(live, busy):
    arguments = {"agent": busy, "seconds": 8, "rate": 100, "kind": "cpu"}
    capture = live.rpc("voltscope.profiler", "profile", arguments, timeout=60)["result"]
    assert (capture["agent"], capture["pid"], capture["state"]) == (busy, live.pid(busy), "done")
    folded = live.rpc("voltscope.profiler", "capture", {"id": capture["id"], "format": "folded"})["result"]["content"]
    found, total = shares(folded)
    assert total >= 100
    work = found["hot_function"] + found["warm_function"]
    assert found["hot_function"] / work == pytest.approx(0.7, abs=0.15)
    assert work > 0.6  # who is woken on a busy machine waits in the hub for a processor
    assert capture["id"] in [c["id"] for c in live.rpc("voltscope.profiler", "captures")["result"]]


def test_the_command_line_writes_a_picture_of_the_historian(live, tmp_path):
    picture = tmp_path / "flame.svg"
    live.voltscope("profile", "platform.historian", "-d", "3", "--kind", "wall", "-o", str(picture))
    text = picture.read_text()
    assert text.startswith(("<?xml", "<svg")) and "historian" in text


def test_http_wants_a_token_and_serves_the_picture(live, busy):
    def post(body, **headers):
        request = urllib.request.Request(
            f"{live['profiler']}/api/captures",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", **headers},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    body = {"agent": busy, "seconds": 1}
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {live.secret('viewer')}"}):
        with pytest.raises(urllib.error.HTTPError) as caught:
            post(body, **headers)
        assert caught.value.code in (401, 403)
    made = post(body, Authorization=f"Bearer {live.secret()}")
    url = f"{live['profiler']}/api/captures/{made['id']}"
    done = wait_for(lambda: (c := json.loads(fetch(url)))["state"] == "done" and c, what="the capture")
    assert done["samples"] > 0
    assert "hot_function" in fetch(f"{live['profiler']}/captures/{made['id']}.svg")
    speedscope = json.loads(fetch(f"{live['profiler']}/captures/{made['id']}.speedscope.json"))
    assert any("hot_function" in frame["name"] for frame in speedscope["shared"]["frames"])


def test_the_store_of_documents_finds_captures_by_a_functions_name(live, busy, opensearch_of_the_site):
    named = {"match_phrase": {"voltscope.profile.function_names.words": "hot_function"}}
    capture = live.rpc("voltscope.profiler", "profile", {"agent": busy, "seconds": 2}, timeout=60)["result"]
    wanted = {"bool": {"filter": [named, {"ids": {"values": [capture["id"]]}}]}}
    (found,) = wait_for(
        lambda: opensearch_of_the_site.find("voltscope-profiles-*", wanted), timeout=60, what="the capture"
    )
    assert (found["service"]["name"], found["labels"]["instance"]) == (busy, live.instance)
    hot = next(one for one in found["voltscope"]["profile"]["functions"] if one["name"].endswith("hot_function"))
    assert hot["total_share"] > 0.4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"agent": "no.such.agent"}, "no.such.agent"),
        ({"agent": "listener", "seconds": 100000}, "100000 s is over the limit"),
        ({"agent": "listener", "rate": 10**6}, "rate"),
        ({"agent": "listener", "kind": "magic"}, "kind"),
        ({"agent": "listener; touch /tmp/x"}, "no agent"),
    ],
)
def test_bad_requests_are_refused_in_words(live, arguments, words):
    answer = live.rpc("voltscope.profiler", "profile", {"seconds": 1, **arguments})
    assert re.search(words, answer["result"]["error"]["message"]), answer


def test_a_stopped_agent_cannot_be_profiled_and_the_answer_says_so(live):
    live.vctl("stop", "--tag", "listener")
    try:
        answer = live.rpc("voltscope.profiler", "profile", {"agent": "listener", "seconds": 1})
        assert "listener" in answer["result"]["error"]["message"]
    finally:
        live.vctl("start", "--tag", "listener")


def test_the_historian_is_profiled_all_the_time(live):
    """From the site's start on; Grafana's data source finds it under the agent's name."""

    def merged(form, **more):
        asked = {"agent": "platform.historian", "since": 0, "until": time.time(), "reason": "continuous", **more}
        return fetch(f"{live['profiler']}/merged.{form}?{urllib.parse.urlencode(asked)}")

    found = wait_for(
        lambda: (one := json.loads(merged("json")))["total"] and one, timeout=240, what="a minute of the historian"
    )
    assert found["rate_hz"] == 19
    assert any("historian" in one["function"] for one in found["functions"])
    assert "platform.historian" in merged("svg")


def test_a_difference_of_two_captures_is_drawn(live, busy):
    # Wall time, idle samples too: of the processor's time a quiet historian may have one sample, which proves nothing.
    asked = {"seconds": 4, "kind": "wall"}
    ids = [
        live.rpc("voltscope.profiler", "profile", {"agent": agent, **asked}, timeout=60)["result"]["id"]
        for agent in ("platform.historian", busy)
    ]
    pair = f"before={ids[0]}&after={ids[1]}"
    changes = {
        one["function"]: one for one in json.loads(fetch(f"{live['profiler']}/difference.json?{pair}"))["changes"]
    }
    (hot,) = [one for name, one in changes.items() if name.startswith("hot_function")]
    assert (hot["before"], hot["sure"]) == (0, True)
    assert "hot_function" in fetch(f"{live['profiler']}/difference.svg?{pair}")


def test_the_platform_itself_can_be_profiled(live):
    capture = live.rpc("voltscope.profiler", "profile", {"agent": "platform", "seconds": 2, "kind": "wall"}, 60)[
        "result"
    ]
    assert capture["samples"] > 0 and capture["pid"] == int((live.home / "VOLTTRON_PID").read_text())


def test_the_platform_and_all_its_agents_are_one_capture(live):
    url = f"{live['profiler']}/api/captures"
    body = {"agent": "platform", "seconds": 3, "kind": "wall", "children": True}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {live.secret()}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        made = json.loads(answer.read())["id"]
    done = wait_for(lambda: (c := json.loads(fetch(f"{url}/{made}")))["state"] != "recording" and c, what="the capture")
    assert done["state"] == "done", done["words"]
    stacks = fetch(f"{live['profiler']}/captures/{made}.folded").splitlines()
    roots = {line.removeprefix("[hub idle];").partition(";")[0] for line in stacks}
    assert {"platform.historian", "platform.driver", "listener"} <= roots
    assert any(root.endswith(f" {done['pid']}") for root in roots)  # the platform itself
