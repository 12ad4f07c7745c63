"""A pid means whoever had it when the record was written."""

from __future__ import annotations

from pathlib import Path

from logs_rig import Rig

from voltscope.logs.identity import Identities
from voltscope.logs.parse import Header
from voltscope.platform.agents import Facts, InstalledAgent

MODULAR = "2026-11-21 03:{:02d}:00,000 volttron.server.aip(1345) INFO: agent {} has PID {}"


def _line(minute: int, pid: int, text: str) -> str:
    return f"2026-11-21 03:{minute:02d}:00,000 (PID:{pid}) demo.agent(1) INFO: {text}"


def _speakers(rig: Rig) -> dict[str, tuple[str, str | None]]:
    return {one.text: (one.agent, one.version) for one in rig.records()}


def test_a_pid_that_is_given_out_again_is_another_agent(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.append(MODULAR.format(0, "volttron-listener-2.0.0rc3", 100), _line(1, 100, "first"))
    rig.append(MODULAR.format(2, "volttron-sqlite-historian-1.0", 100), _line(3, 100, "second"), _line(4, 100, "third"))
    rig.drain()
    speakers = _speakers(rig)
    assert speakers["first"] == ("volttron-listener", "2.0.0rc3")
    assert speakers["second"] == speakers["third"] == ("volttron-sqlite-historian", "1.0")


def test_the_history_survives_a_restart(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.append(MODULAR.format(0, "one-1.0", 100), _line(1, 100, "a"), MODULAR.format(2, "two-1.0", 101))
    rig.drain()
    rig.restart()
    rig.append(_line(3, 100, "b"), _line(3, 101, "c"))
    rig.drain()
    assert [_speakers(rig)[text][0] for text in "abc"] == ["one", "one", "two"]


def test_an_older_log_read_later_goes_by_its_own_times(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.identities.listen(Header(20, "aip", None, None, None, 0), 1795233600.0 + 600, "agent late-1 has PID 100")
    rig.identities.listen(Header(20, "aip", None, None, None, 0), 1795230000.0, "agent early-1 has PID 100")
    header = Header(20, "demo", 100, None, None, 0)
    assert rig.identities.of(header, 1795230005.0) == ("early", "1", False)
    assert rig.identities.of(header, 1795239999.0) == ("late", "1", True)


def test_what_the_bridge_knows_names_the_lines_after_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.append(_line(0, 100, "before"))
    rig.drain()
    assert rig.identities.wants_facts
    agent = InstalledAgent(identity="platform.driver", name="driver-4.0", uuid="u", version="4.0", pid=100)
    rig.identities.learn_facts(_facts(agent))
    rig.append(_line(1, 100, "after"))
    rig.drain()
    assert not rig.identities.wants_facts
    assert _speakers(rig) == {"before": ("unknown", None), "after": ("platform.driver", "4.0")}


def test_the_folders_of_both_generations_tell_identities(tmp_path: Path) -> None:
    modular, monolithic = tmp_path / "agents" / "my.listener", tmp_path / "agents" / "uuid-1"
    modular.mkdir(parents=True)
    (modular / "NAME").write_text("volttron-listener-2.0")
    (monolithic / "sysmonagent-0.1").mkdir(parents=True)
    (monolithic / "IDENTITY").write_text("platform.sysmon")
    identities = Identities(tmp_path)
    header = Header(20, "aip", None, None, None, 0)
    identities.listen(header, 0.0, "agent volttron-listener-2.0 has PID 5")
    identities.listen(header, 0.0, f"agent {monolithic}/sysmonagent-0.1 has PID 6")
    assert identities.of(Header(20, "x", 5, None, None, 0), 1.0)[0] == "my.listener"
    assert identities.of(Header(20, "x", 6, None, None, 0), 1.0)[0] == "platform.sysmon"


def _facts(agent: InstalledAgent) -> Facts:
    return Facts(
        generation="modular",
        platform_version="2",
        instance="i",
        volttron_home="/",
        platform_pid=1,
        taken_at=0.0,
        agents=[agent],
    )
