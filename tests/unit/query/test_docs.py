"""The reference page names every setting, with its default."""

from pathlib import Path

from commonshub.query.app import QueryApp

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "query.md"


def test_every_setting_is_documented_with_its_default() -> None:
    text = PAGE.read_text()
    for name, trait in QueryApp.class_own_traits(config=True).items():
        assert f"| `{name}` | {trait.default()} |" in text
