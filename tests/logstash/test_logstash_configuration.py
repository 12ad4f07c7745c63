"""The pipelines as texts: their grammar, what they listen to, which fields they set, and which variables they read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from configuration import (
    Branch,
    Operation,
    Plugin,
    Regexp,
    Section,
    Selector,
    SyntaxFault,
    field_path,
    parse,
    plugins,
)
from ingest import patterns

LOGSTASH = Path(__file__).resolve().parents[2] / "logstash"
FILES = sorted((LOGSTASH / "pipeline").glob("*.conf"))
DOCS = LOGSTASH.parent / "docs" / "logstash.md"
FILTERS = {"grok", "date", "mutate", "kv", "syslog_pri", "fingerprint"}
INPUTS = {"tcp", "udp", "relp", "beats", "dead_letter_queue"}
OUTPUTS = {"elasticsearch", "opensearch", "file"}


def read(path: Path) -> list[Section]:
    return parse(path.read_text("utf-8"))


def all_of(kind: str) -> list[tuple[Path, Plugin]]:
    return [
        (path, plugin)
        for path in FILES
        for section in read(path)
        if section.kind == kind
        for plugin in plugins(section.body)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_pipeline_is_of_logstashs_grammar_and_of_documented_plugins(path: Path) -> None:
    known = {"input": INPUTS, "filter": FILTERS, "output": OUTPUTS}
    for section in read(path):
        for plugin in plugins(section.body):
            assert plugin.name in known[section.kind]
            names = [name for name, _ in plugin.attributes]
            assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("filter { mutate { } ", "line 1"),
        ("filter { mutate { a => 1 b => 2 } }\ncodec { }", "line 2: input, filter or output"),
        ('filter { mutate { add_tag => ["x"]add_field => { } } }', "white space"),
        ("filter { mutate { add_tag -> 1 } }", "=>"),
        ("filter { if [a] = 1 { drop { } } }", "{"),
        ('filter { if ! "a" { drop { } } }', "a field"),
        ("filter { mutate { rename => { 'a' => 'b' 'a' => 'c' } } }", "already"),
        ("filter { mutate { convert => 'a } }", "a string"),
        ("filter { if [a] =~ b { drop { } } }", "an expression"),
    ],
)
def test_what_is_no_configuration_is_told(text: str, wanted: str) -> None:
    with pytest.raises(SyntaxFault, match=re.escape(wanted)):
        parse(text)


def test_what_is_a_configuration_is_understood() -> None:
    text = """
    # a comment
    input { tcp { port => 5 codec => line { charset => "UTF-8" } } }
    filter {
      if ![a][b] and ([c] =~ /x\\/y/ or [d] in ["e", "f"]) { mutate { } }
      else if [g] == "h" { date { match => ["t", 'ISO8601'] } } else { drop { } }
    }
    """
    first, second = parse(text)
    assert first.kind == "input"
    (tcp,) = first.body
    assert isinstance(tcp, Plugin)
    assert (tcp["port"], tcp["codec"].name, tcp["codec"]["charset"]) == (5, "line", "UTF-8")
    (branch,) = second.body
    assert isinstance(branch, Branch)
    conditions = [condition for condition, _ in branch.cases]
    assert conditions == [
        Operation(
            "and",
            (
                Operation("!", (Operation("", (Selector(("a", "b")),)),)),
                Operation(
                    "or",
                    (
                        Operation("=~", (Selector(("c",)), Regexp("x\\/y"))),
                        Operation("in", (Selector(("d",)), ["e", "f"])),
                    ),
                ),
            ),
        ),
        Operation("==", (Selector(("g",)), "h")),
        None,
    ]


def test_every_plugin_has_an_id_of_its_own() -> None:
    named = [plugin["id"] for kind in ("input", "filter", "output") for _, plugin in all_of(kind)]
    assert len(named) == len(set(named))


def fields_set(plugin: Plugin) -> set[tuple[str, ...]]:
    """The fields this filter may give an event."""
    made: set[str] = set()
    if plugin.name == "grok":
        for found in plugin["match"].values():
            for text in found if isinstance(found, list) else [found]:
                made |= set(re.findall(r"%\{\w+:((?:\[[^\]]+\])+)", text))
        made |= {"tags"} if plugin.get("tag_on_failure") else set()
    elif plugin.name == "mutate":
        for operation in ("replace", "add_field", "convert"):
            made |= set(plugin.get(operation, {}))
        for operation in ("rename", "copy"):
            made |= {re.sub(r"\[%\{.*\}\]", "", name) for name in plugin.get(operation, {}).values()}
        made |= {"tags"} if plugin.get("add_tag") else set()
    elif plugin.name == "date":
        made = {plugin.get("target", "@timestamp")}
    elif plugin.name in ("kv", "fingerprint"):
        made = {plugin["target"]}
    elif plugin.name == "syslog_pri":
        made = {f"[log][syslog][{part}][{name}]" for part in ("facility", "severity") for name in ("code", "name")}
    return {path for path in map(field_path, made) if path[0] != "@metadata"}


def test_every_field_that_is_set_is_in_the_template() -> None:
    template = json.loads((LOGSTASH / "templates/elasticsearch/index-template.json").read_text("utf-8"))
    missing = []
    for path, plugin in all_of("filter"):
        for name in sorted(fields_set(plugin)):
            here: dict[str, Any] = template["template"]["mappings"]
            for part in name:
                # what is dynamic by intention, as labels are, takes any name
                here = here.get("properties", {}).get(part) or ({"type": "keyword"} if here.get("dynamic") else {})
            if not here:
                missing.append(f"{'.'.join(name)} of {plugin['id']} in {path.name}")
    assert missing == []


def test_every_field_of_an_expected_document_is_in_the_template() -> None:
    properties = json.loads((LOGSTASH / "templates/elasticsearch/index-template.json").read_text("utf-8"))["template"]
    unknown: set[str] = set()

    def look(document: dict[str, Any], mapping: dict[str, Any], path: str) -> None:
        for name, value in document.items():
            here = mapping.get("properties", {}).get(name)
            if here is None:
                unknown.add(f"{path}{name}")
            elif isinstance(value, dict) and here.get("type") != "flattened":
                look(value, here, f"{path}{name}.")

    golden = Path(__file__).resolve().parent / "golden"
    for path in golden.glob("*/*.json"):
        if path.parent.name != "records":
            for document in json.loads(path.read_text("utf-8"))["documents"]:
                look(document, properties["mappings"], "")
    assert unknown == {"building"}  # an extra field of who uses the python-logstash library


def test_every_building_block_is_defined_and_used() -> None:
    used: set[str] = set()
    for _, plugin in all_of("filter"):
        if plugin.name == "grok":
            assert plugin["patterns_dir"] == ["${VOLTSCOPE_LOGSTASH:/etc/logstash/voltscope}/patterns"]
            used |= set(re.findall(r"%\{(\w+)", json.dumps(plugin["match"])))
    assert used == set(patterns())


def test_listeners_are_on_loopback_unless_told_otherwise() -> None:
    for path, plugin in all_of("input"):
        if plugin.name != "dead_letter_queue":
            assert plugin["host"] == "${VOLTSCOPE_LISTEN:127.0.0.1}", path.name
            assert re.fullmatch(r"\$\{VOLTSCOPE_\w+_PORT:\d+\}", plugin["port"]), path.name


def test_records_are_created_once_under_their_own_id() -> None:
    outputs = [(path, plugin) for path, plugin in all_of("output") if plugin.name != "file"]
    assert len(outputs) == 4
    for path, plugin in outputs:
        assert (plugin["action"], plugin["document_id"]) == ("create", "%{[event][id]}")
        assert plugin["manage_template"] is False
        dated = "" if "data-stream" in path.name else "-%{+YYYY.MM.dd}"
        assert plugin["index"] == "${VOLTSCOPE_INDEX:voltscope-logs}" + dated


def test_no_secret_is_in_a_file() -> None:
    for path in FILES:
        for found in re.findall(r"password => (.*)", path.read_text("utf-8")):
            assert found == '"${VOLTSCOPE_STORE_PASSWORD:}"'


def variables(text: str) -> dict[str, str | None]:
    return {name: default for name, _, default in re.findall(r"\$\{(\w+)(:([^}]*))?\}", text)}


def test_every_variable_is_documented_with_its_default() -> None:
    documented = dict(
        re.findall(r"^\| `(VOLTSCOPE_\w+)` \| (?:`([^`]*)`|none) \|", DOCS.read_text("utf-8"), re.MULTILINE)
    )
    found: dict[str, str | None] = {}
    for path in [*FILES, LOGSTASH / "pipelines.yml"]:
        for name, default in variables(path.read_text("utf-8")).items():
            assert found.setdefault(name, default) == default, f"two defaults of {name}"
    assert documented == found


@pytest.mark.parametrize("commented", [False, True])
def test_pipelines_name_files_that_are_there(commented: bool) -> None:
    text = (LOGSTASH / "pipelines.yml").read_text("utf-8")
    if commented:
        text = re.sub(r"^#(?=- |  \w)", "", text, flags=re.MULTILINE)
    made = yaml.safe_load(text)
    assert len(made) == (6 if commented else 4)
    used: set[str] = set()
    for one in made:
        assert one["pipeline.ecs_compatibility"] == "v8"
        path = re.sub(r"\$\{\w+:([^}]*)\}", r"\1", one["path.config"]).removeprefix("/etc/logstash/voltscope/pipeline/")
        names = path.removesuffix(".conf").strip("{}").split(",")
        assert names == sorted(names)  # the order Logstash puts them in
        for name in names:
            assert (LOGSTASH / "pipeline" / f"{name}.conf").is_file(), name
        used |= set(names)
        kinds = [section.kind for name in names for section in read(LOGSTASH / "pipeline" / f"{name}.conf")]
        assert {"input", "filter", "output"} == set(kinds)
    if commented:
        rest = {path.stem for path in FILES} - used
        assert rest == {
            "10-input-syslog-tls",
            "10-input-json-tls",
            "10-input-beats-tls",
            "90-opensearch",
            "90-elasticsearch-data-stream",
            "90-opensearch-data-stream",
        }


def test_queues_survive_and_dead_letters_are_kept() -> None:
    settings = yaml.safe_load((LOGSTASH / "logstash.yml.example").read_text("utf-8"))
    assert settings["queue.type"] == "persisted"
    assert settings["dead_letter_queue.enable"] is True
    assert settings["config.support_escapes"] is False
    for one in yaml.safe_load((LOGSTASH / "pipelines.yml").read_text("utf-8")):
        assert (one["queue.type"], one["dead_letter_queue.enable"]) == ("persisted", True)
