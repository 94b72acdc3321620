import pytest

from finn_build import results
from finn_build.errors import ConfigError
from finn_build.files import save_json


def report(accuracy):
    chip = {"lut": 53200, "ff": 106400, "bram36": 140, "dsp": 220}
    return {
        "model": {"name": "tiny"},
        "board": {"title": "TUL PYNQ-Z2", "chip": chip},
        "accuracy": {"hardware": {"value": accuracy, "images": 10000}},
        "rtl_sim": {"latency_cycles": 6774},
        "resources": {"lut": 39420, "ff": 38669, "bram36": 29.0, "dsp": 0, "source": "yosys"},
        "clock": {"fclk_mhz": 100.0, "achieved_mhz": None},
        "fps": {"simulated": 24414.0625},
    }


def test_the_table_is_written_from_the_reports(tmp_path):
    save_json(tmp_path / "report.json", report(0.7512))
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{results.BEGIN}\nstale row\n{results.END}\nafter\n")
    results.insert(readme, [tmp_path / "report.json"])
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "stale" not in text
    assert (
        "| tiny, TUL PYNQ-Z2 | 75.12 %, 10,000 | 24,414 | 67.7 µs | 39,420 of 53,200 "
        "| 38,669 of 106,400 | 29 of 140 | 0 of 220 |" in text
    )
    results.insert(readme, [tmp_path / "report.json"])
    assert readme.read_text() == text


def test_a_file_without_the_marks_is_refused(tmp_path):
    (tmp_path / "README.md").write_text("nothing")
    with pytest.raises(ConfigError, match="marks"):
        results.insert(tmp_path / "README.md", [])
