"""The ingest pipeline, for raw syslog or JSON sent to a store without Logstash: made from Logstash's own filters.

Each filter becomes the processors that do the same, so that there is one place where a record is taken apart. A
branch's condition is looked at once, as Logstash does, and remembered in @metadata, which goes at the end. What only
a transport knows (the sender's address) is not there, and no fingerprint is made: `_id` is the event's id.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from configuration import Branch, Operation, Plugin, Regexp, Selector, field_path, parse

HERE = Path(__file__).resolve().parent
FILTERS = ("20-syslog", "20-python-logstash", "30-volttron-lines", "40-tracebacks", "60-finish")
# Which of them is for raw messages of which kind; the others are for all.
_ONLY_IF = {
    "20-syslog": "ctx['@metadata'].raw == true",
    "20-python-logstash": "ctx.logger_name != null",
}
_VARIABLE = re.compile(r"\$\{\w+:([^}]*)\}")
_FIELD_IN_PATTERN = re.compile(r"%\{(\w+):((?:\[[^\]]+\])+)(:int)?\}")
_FIELD_IN_TEXT = re.compile(r"%\{((?:\[[^\]]+\])+|@timestamp)\}")

Processor = dict[str, Any]


def pipeline() -> dict[str, Any]:
    """The body of PUT /_ingest/pipeline/voltscope-logs."""
    made: list[Processor] = [
        {"set": {"field": "@metadata.made", "value": True}},
        {
            "set": {
                "field": "@metadata.raw",
                "value": True,
                "if": "ctx.message instanceof String && ctx.message.startsWith('<') "
                "&& ctx.log == null && ctx.logger_name == null",
            }
        },
        # a JSON document that came as a text
        {
            "json": {
                "field": "message",
                "add_to_root": True,
                "if": "ctx.message instanceof String && ctx.message.startsWith('{')",
                "ignore_failure": True,
            }
        },
        # a message of one line may have come over a stream, where newlines are sent as the two characters \n
        {
            "set": {
                "field": "@metadata.input.tcp.line",
                "value": True,
                "if": "ctx.message instanceof String && !(ctx.message =~ /\\n/)",
            }
        },
        {
            "set": {
                "field": "@timestamp",
                "value": "{{{_ingest.timestamp}}}",
                "if": "ctx['@timestamp'] == null",
            }
        },
    ]
    writer = _Writer()
    for name in FILTERS:
        (section,) = parse((HERE / "pipeline" / f"{name}.conf").read_text("utf-8"))
        condition = _ONLY_IF.get(name)
        if condition is not None:
            made.append(writer.flag(condition))
            condition = writer.flagged
        made += writer.body(section.body, condition)
    made += [
        {"set": {"field": "_id", "value": "{{{event.id}}}", "if": "ctx.event?.id != null"}},
        {"remove": {"field": "@metadata", "ignore_missing": True}},
    ]
    return {
        "description": "Log records of VOLTTRON platforms: raw syslog, JSON or python-logstash's form to ECS",
        "processors": made,
    }


def patterns() -> dict[str, str]:
    """What logstash/patterns/voltscope defines."""
    lines = (HERE / "patterns" / "voltscope").read_text("utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))


def grok_pattern(text: str) -> str:
    """With fields as stores write them: a.b instead of [a][b]."""
    return _FIELD_IN_PATTERN.sub(lambda found: f"%{{{found[1]}:{_dotted(found[2])}{found[3] or ''}}}", text)


def _dotted(reference: str) -> str:
    return ".".join(field_path(reference))


class _Writer:
    def __init__(self) -> None:
        self._count = 0
        self.flagged = ""

    def flag(self, condition: str) -> Processor:
        """Remember whether it holds now; `flagged` asks for that."""
        self._count += 1
        name = f"branch_{self._count}"
        self.flagged = f"ctx['@metadata'].{name} == true"
        return {"set": {"field": f"@metadata.{name}", "value": True, "if": condition}}

    def body(self, body: list[Plugin | Branch], within: str | None) -> list[Processor]:
        made: list[Processor] = []
        for one in body:
            made += self._plugin(one, within) if isinstance(one, Plugin) else self._branch(one, within)
        return made

    def _branch(self, branch: Branch, within: str | None) -> list[Processor]:
        made: list[Processor] = []
        before: list[str] = [] if within is None else [within]
        cases = []
        for condition, body in branch.cases:
            wanted = [*before, *([] if condition is None else [_painless(condition)])]
            made.append(self.flag(" && ".join(wanted)))
            cases.append((self.flagged, body))
            before.append(f"!({self.flagged})")
        for flagged, body in cases:
            made += self.body(body, flagged)
        return made

    def _plugin(self, plugin: Plugin, within: str | None) -> list[Processor]:
        made: list[Processor] = getattr(self, f"_{plugin.name}")(plugin)
        for processor in made:
            (content,) = processor.values()
            if within is not None:
                content["if"] = f"{within} && ({content['if']})" if "if" in content else within
        return made

    def _grok(self, plugin: Plugin) -> list[Processor]:
        ((source, found),) = plugin["match"].items()
        texts = [grok_pattern(text) for text in (found if isinstance(found, list) else [found])]
        used = {name for text in texts for name in re.findall(r"%\{(\w+)", text)}
        content: dict[str, Any] = {
            "field": _dotted(source),
            "patterns": texts,
            "pattern_definitions": {name: text for name, text in patterns().items() if name in used},
        }
        tags = plugin.get("tag_on_failure")
        if tags:
            content["on_failure"] = [{"append": {"field": "tags", "value": tags}}]
        else:
            content["ignore_failure"] = True
        return [{"grok": content}]

    def _date(self, plugin: Plugin) -> list[Processor]:
        source, *formats = plugin["match"]
        content = {"field": _dotted(source), "formats": formats, "timezone": _default(plugin.get("timezone", "UTC"))}
        if "locale" in dict(plugin.attributes):
            content["locale"] = plugin["locale"]
        return [{"date": {**content, "on_failure": [{"append": {"field": "tags", "value": ["_dateparsefailure"]}}]}}]

    def _kv(self, plugin: Plugin) -> list[Processor]:
        return [
            {
                "kv": {
                    "field": _dotted(plugin["source"]),
                    "target_field": _dotted(plugin["target"]),
                    # not a space within quotes
                    "field_split": ' (?=[^ =\\]"]+=")',
                    "value_split": "=",
                    "strip_brackets": True,
                    "ignore_failure": True,
                }
            }
        ]

    def _mutate(self, plugin: Plugin) -> list[Processor]:
        made: list[Processor] = []
        # in Logstash's order, whatever the order in the file
        for old, new in plugin.get("rename", {}).items():
            there = f"{_get(field_path(old))} != null"
            target = _dotted(_text(new))
            if "{{" not in target:
                made.append({"remove": {"field": target, "ignore_missing": True, "if": there}})
            made.append({"rename": {"field": _dotted(old), "target_field": target, "if": there}})
        for name, value in {**plugin.get("replace", {}), **plugin.get("add_field", {})}.items():
            made.append({"set": {"field": _dotted(name), "value": _text(value)}})
        for name, kind in plugin.get("convert", {}).items():
            made.append({"convert": {"field": _dotted(name), "type": kind, "ignore_missing": True}})
        gsub = plugin.get("gsub", [])
        for name, needle, replacement in zip(gsub[::3], gsub[1::3], gsub[2::3], strict=True):
            # Java's groups are $1, Ruby's \1
            replacement = re.sub(r"\\(\d)", r"$\1", replacement)
            content = {"field": _dotted(name), "pattern": needle, "replacement": replacement, "ignore_missing": True}
            made.append({"gsub": content})
        for name in plugin.get("lowercase", []):
            made.append({"lowercase": {"field": _dotted(name), "ignore_missing": True}})
        for name in plugin.get("strip", []):
            made.append({"trim": {"field": _dotted(name), "ignore_missing": True}})
        if "copy" in dict(plugin.attributes):
            pairs = plugin["copy"].items()
            source = " ".join(
                _copied(number, field_path(old), field_path(new)) for number, (old, new) in enumerate(pairs)
            )
            made.append({"script": {"source": source}})
        if tags := plugin.get("remove_tag"):
            source = "if (ctx.tags instanceof List) { ctx.tags.removeIf(tag -> params.gone.contains(tag)) }"
            made.append({"script": {"source": source, "params": {"gone": tags}}})
        if tags := plugin.get("add_tag"):
            made.append({"append": {"field": "tags", "value": tags}})
        for name in plugin.get("remove_field", []):
            made.append({"remove": {"field": _dotted(name), "ignore_missing": True}})
        return made

    def _syslog_pri(self, plugin: Plugin) -> list[Processor]:
        source = (
            "int priority = Integer.parseInt(ctx.log.syslog.priority.toString()); "
            "int facility = priority >> 3; int severity = priority & 7; "
            "Map f = new HashMap(); f.put('code', facility); "
            "if (facility < params.facilities.length) { f.put('name', params.facilities[facility]) } "
            "Map s = new HashMap(); s.put('code', severity); s.put('name', params.severities[severity]); "
            "ctx.log.syslog.put('facility', f); ctx.log.syslog.put('severity', s);"
        )
        labels = {"facilities": plugin["facility_labels"], "severities": plugin["severity_labels"]}
        return [{"script": {"source": source.replace(".length", ".size()"), "params": labels}}]

    def _fingerprint(self, plugin: Plugin) -> list[Processor]:
        return [{"set": {"field": _dotted(plugin["target"]), "value": "{{{_id}}}", "if": "ctx._id != null"}}]


def _default(text: str) -> str:
    return _VARIABLE.sub(r"\1", text)


def _text(text: str) -> str:
    return _FIELD_IN_TEXT.sub(lambda found: f"{{{{{{{_dotted(found[1])}}}}}}}", text)


def _get(path: tuple[str, ...]) -> str:
    first, *rest = (json.dumps(name).replace('"', "'") for name in path)
    return f"ctx.get({first})" + "".join(f"?.get({name})" for name in rest)


def _copied(number: int, old: tuple[str, ...], new: tuple[str, ...]) -> str:
    made, target = "", "ctx"
    for name in new[:-1]:
        made += f"if ({target}.get('{name}') == null) {{ {target}.put('{name}', new HashMap()) }} "
        target += f".get('{name}')"
    value = f"v{number}"
    return f"def {value} = {_get(old)}; if ({value} != null) {{ {made}{target}.put('{new[-1]}', {value}) }}"


def _painless(condition: Operation) -> str:
    operands = [_operand(one) for one in condition.operands]
    match condition.operator:
        case "":
            return f"({operands[0]} != null)"
        case "!":
            return f"!{operands[0]}"
        case "and" | "or":
            return f"({operands[0]} {'&&' if condition.operator == 'and' else '||'} {operands[1]})"
        case "in":
            return f"{operands[1]}.contains({operands[0]})"
        case "=~":
            return f"({operands[0]} instanceof String && {operands[0]} =~ {operands[1]})"
        case "==" | "!=":
            return f"({operands[0]} {condition.operator} {operands[1]})"
        case _:
            return f"({operands[0]} != null && {operands[0]} {condition.operator} {operands[1]})"


def _operand(one: Any) -> str:
    if isinstance(one, Operation):
        return _painless(one)
    if isinstance(one, Selector):
        return _get(one.path)
    if isinstance(one, Regexp):
        return f"/{one.text}/"
    if isinstance(one, list):
        return f"[{', '.join(_operand(element) for element in one)}]"
    return f"'{one}'" if isinstance(one, str) else str(one)
