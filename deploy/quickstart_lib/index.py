"""The remedy for plain package indices: a pyproject.toml for the platform's poetry that names the index pip uses.

At its first start the modular platform makes a poetry project in VOLTTRON_HOME. Poetry asks the default index for
JSON (PEP 691) and fails where a mirror answers HTML, and it does not know of an index that only pip is configured
with; as a named source poetry reads HTML too. On an ordinary network the platform's own way is left alone.
"""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping

from .failure import StepFailed
from .pip_settings import DEFAULT_INDEX, index_urls

# The project that VOLTTRON makes names this index as well, and poetry gives up where it does not answer.
TEST_INDEX = "https://test.pypi.org/simple"
_JSON = "application/vnd.pypi.simple.v1+json"


def needs_remedy(environment: Mapping[str, str], timeout: float = 20) -> bool:
    """Whether poetry would fail by itself: another index than the default is configured, or it speaks no JSON, or
    PyPI's test index does not answer.

    Raises StepFailed when the index does not answer at all.
    """
    urls = index_urls(environment)
    if urls != [DEFAULT_INDEX] or not speaks_json(urls[0], environment, timeout):
        return True
    try:
        return not speaks_json(TEST_INDEX, environment, timeout)
    except StepFailed:
        return True


def speaks_json(index: str, environment: Mapping[str, str], timeout: float = 20) -> bool:
    """Whether `index` answers a JSON page (PEP 691) when asked for one. Raises StepFailed when it does not answer."""
    url = f"{index}/gevent/"
    authorities = environment.get("PIP_CERT") or environment.get("REQUESTS_CA_BUNDLE") or None
    try:
        context = ssl.create_default_context(cafile=authorities)
        request = urllib.request.Request(url, headers={"Accept": _JSON})  # noqa: S310 (pip's own index)
        with urllib.request.urlopen(request, timeout=timeout, context=context) as answer:  # noqa: S310
            return answer.headers.get_content_type() == _JSON
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise StepFailed(
            f"the package index {index} does not answer: {error}.",
            "Check the network, or set PIP_INDEX_URL (and PIP_CERT for a certificate authority of your own).",
        ) from error


def poetry_project(urls: list[str], python: str, versions: Mapping[str, str], editable: Mapping[str, str]) -> str:
    """The pyproject.toml: `urls` as sources, Python `~python`, and what is already in the environment.

    `versions` are distributions with their installed versions, `editable` ours with their folders. Named here they
    are locked at once, so each later `vctl install` finds its package there instead of resolving anew
    (measured: 9 s once, then 0.5 s each, instead of 10 to 16 s each).
    """
    lines = [
        "# Made by voltscope's quickstart, because poetry cannot use this machine's package index by itself.",
        "[tool.poetry]",
        'name = "volttron"',
        'version = "0.1.0"',
        'description = ""',
        "authors = []",
        "package-mode = false",
        "",
        "[tool.poetry.dependencies]",
        f'python = "~{python}"',
        *(f'{name} = "^{version}"' for name, version in versions.items()),
        *(f'{name} = {{ path = "{folder}", develop = true }}' for name, folder in editable.items()),
    ]
    for number, url in enumerate(urls):
        name, priority = ("simple-index", "primary") if number == 0 else (f"extra-{number}", "supplemental")
        lines += ["", "[[tool.poetry.source]]", f'name = "{name}"', f'url = "{url}/"', f'priority = "{priority}"']
    return "\n".join(lines) + "\n"
