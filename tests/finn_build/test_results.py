import pages
import pytest

from finn_build import results
from finn_build.errors import ConfigError
from finn_build.files import save_json


def test_the_table_is_written_from_the_reports(tmp_path):
    hardware = {"value": 0.7512, "images": 10000, "source": "the whole test set"}
    save_json(tmp_path / "report.json", pages.report(accuracy={"hardware": hardware}))
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{results.BEGIN}\nstale row\n{results.END}\nafter\n")
    results.insert(readme, [tmp_path / "report.json"])
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "stale" not in text
    assert (
        "| tiny, TUL PYNQ-Z2 | 100, not routed | 75.12 %, 10,000 | 32,468 | 77.2 µs "
        "| 6,400 of 53,200 | 5,000 of 106,400 | 12.5 of 140 | 0 of 220 |" in text
    )
    results.insert(readme, [tmp_path / "report.json"])
    assert readme.read_text() == text
    routed = {"fclk_mhz": 1000 / 7, "achieved_mhz": 145.1, "source": "routed clock by nextpnr"}
    save_json(tmp_path / "report.json", pages.report(clock=routed))
    results.insert(readme, [tmp_path / "report.json"])
    assert "| 142.9, routed clock by nextpnr |" in readme.read_text()


def test_an_accuracy_that_nobody_knows_is_not_in_the_table():
    hardware = {"value": None, "images": 100, "source": "no labels"}
    assert "| not known | 32,468 |" in results.table(
        [pages.report(accuracy={"hardware": hardware})]
    )


def test_a_file_without_the_marks_is_refused(tmp_path):
    (tmp_path / "README.md").write_text("nothing")
    with pytest.raises(ConfigError, match="marks"):
        results.insert(tmp_path / "README.md", [])
