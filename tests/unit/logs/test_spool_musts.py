"""Every MUST of docs/spool.md has tests that bear its number."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_every_must_of_the_specification_has_a_test() -> None:
    stated = re.findall(
        r"^- \*\*S(\d+)\*\* (.*?)(?=\n- \*\*S|\n\n|\Z)", (ROOT / "docs" / "spool.md").read_text(), re.M | re.S
    )
    numbers = [int(number) for number, _ in stated]
    assert numbers == list(range(1, len(numbers) + 1)), "numbers without a gap, in their order"
    assert [number for number, text in stated if "MUST" not in text] == []
    tested = {
        int(number)
        for file in Path(__file__).parent.glob("test_spool_*.py")
        for number in re.findall(r"^def test_s(\d+)_", file.read_text(), re.M)
    }
    assert tested == set(numbers)
