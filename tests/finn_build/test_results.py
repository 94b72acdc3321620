"""The tables of results, and that none outlives its code."""

import hashlib
import subprocess

import pages
import pytest

from finn_build.errors import ConfigError
from finn_build.pages import committed, results
from finn_build.system.files import save_json

CODE = "rtl/unit.sv"
ROUTED = {
    "fclk_mhz": 1000 / 6,
    "achieved_mhz": 173.6,
    "source": "routed clock by nextpnr's model",
    "critical_path": "a.b_q to c.d_q: 5.8 ns, 4.9 of them in wires: net (4.9 ns, 3 loads)",
    "seeds": {"1": 169.2, "2": 173.6, "3": 165.0},
}


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose newest commit has one file of code."""
    root = tmp_path / "checkout"
    (root / "rtl").mkdir(parents=True)
    (root / CODE).write_text("module unit;\n")
    git(root, "init", "--quiet")
    save(root)
    return root


def git(root, *words):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(
        ["git", *identity, *words], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def save(root):
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "rtl: Change")


def made(root, name="report.json", **sections):
    """A report that was made by what is in the checkout now."""
    code = {CODE: hashlib.sha256((root / CODE).read_bytes()).hexdigest()}
    path = root.parent / name
    save_json(path, pages.report(code=code, **sections))
    return path


def page(root, *names):
    path = root.parent / "page.md"
    marks = "".join(f"<!-- {name} -->\nstale row\n<!-- /{name} -->\n" for name in names)
    path.write_text(f"before\n{marks}after\n")
    return path


def test_the_table_is_written_from_the_reports(checkout):
    hardware = {"value": 0.7512, "images": 10000, "source": "the whole test set"}
    report = made(checkout, accuracy={"hardware": hardware})
    readme = page(checkout, "results")
    results.insert([readme], [report], root=checkout)
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "stale" not in text
    assert (
        "| tiny, TUL PYNQ-Z2 | 100, not routed | 75.12 %, 10,000 | 32,468 | 77.2 µs "
        "| 6,400 of 53,200 | 5,000 of 106,400 | 12.5 of 140 | 0 of 220 |" in text
    )
    results.insert([readme], [report], root=checkout)
    assert readme.read_text() == text


def test_a_routed_chip_has_the_median_and_the_spread_of_its_seeds(checkout):
    readme = page(checkout, "results", "routed", "times")
    results.insert([readme], [made(checkout, clock=ROUTED)], root=checkout)
    text = readme.read_text()
    assert (
        "| 166.7, routed clock by nextpnr's model: 169.2 MHz, 165.0 to 173.6 with 3 seeds |" in text
    )
    assert "169.2 MHz (seed 1), 173.6 MHz (seed 2), 165.0 MHz (seed 3)" in text
    assert "| a.b_q to c.d_q: 5.8 ns, 4.9 of them in wires |" in text
    assert "| tiny, 166.7 MHz | 31 min 40 s |" in text
    one = {**ROUTED, "seeds": {"1": 173.6}}
    results.insert([readme], [made(checkout, clock=one)], root=checkout)
    assert "model: 173.6 MHz, one seed |" in readme.read_text()


def test_a_table_of_routed_chips_takes_one(checkout):
    with pytest.raises(ConfigError, match="no report is of a chip that was placed and routed"):
        results.insert([page(checkout, "routed")], [made(checkout)], root=checkout)


def test_tables_name_the_commit_of_their_code(checkout):
    readme = page(checkout, "results")
    code = git(checkout, "rev-parse", "--short", "HEAD")
    (checkout / "notes.md").write_text("later\n")
    save(checkout)
    assert results.insert([readme], [made(checkout)], root=checkout) == code
    assert f"of the code of commit {code}." in readme.read_text()


def test_a_report_of_other_code_is_refused(checkout):
    readme, report = page(checkout, "results"), made(checkout)
    (checkout / CODE).write_text("module unit; // faster\n")
    save(checkout)
    with pytest.raises(ConfigError, match=rf"report.json was made by other code.*{CODE}"):
        results.insert([readme], [report], root=checkout)
    (checkout / CODE).unlink()
    with pytest.raises(ConfigError, match="was made by other code"):
        results.insert([readme], [report], root=checkout)
    assert "stale row" in readme.read_text()


def test_one_report_of_other_code_is_enough(checkout):
    readme, old = page(checkout, "results"), made(checkout, "old.json")
    (checkout / CODE).write_text("module unit; // faster\n")
    save(checkout)
    with pytest.raises(ConfigError, match=r"old\.json was made by other code"):
        results.insert([readme], [made(checkout, "new.json"), old], root=checkout)
    assert "stale row" in readme.read_text()


def test_a_report_of_code_that_is_not_committed_is_refused(checkout):
    (checkout / CODE).write_text("module unit; // not committed\n")
    with pytest.raises(ConfigError, match=f"not committed: {CODE}"):
        results.insert([page(checkout, "results")], [made(checkout)], root=checkout)


def test_a_report_that_does_not_know_its_code_is_refused(checkout):
    report = checkout.parent / "report.json"
    save_json(report, pages.report())
    with pytest.raises(ConfigError, match="does not say by which code"):
        results.insert([page(checkout, "results")], [report], root=checkout)


def test_without_a_checkout_there_is_no_commit_to_name(tmp_path):
    (tmp_path / "rtl").mkdir()
    (tmp_path / CODE).write_text("module unit;\n")
    with pytest.raises(ConfigError, match="name a commit"):
        results.insert([page(tmp_path / "rtl", "results")], [made(tmp_path)], root=tmp_path)


def test_what_has_changed_since_a_commit_is_said(checkout):
    first = git(checkout, "rev-parse", "--short", "HEAD")
    assert committed.since(first, [CODE], root=checkout) == ""
    (checkout / CODE).write_text("module unit; // faster\n")
    save(checkout)
    assert committed.since(first, [CODE], root=checkout) == CODE


def test_a_page_says_whether_its_tables_have_outlived_their_code(checkout, monkeypatch):
    readme = page(checkout, "results")
    monkeypatch.setattr(results.provenance, "fingerprint", lambda *modules: [(CODE, "")])
    assert results.outlived([readme], root=checkout) == [f"{readme}: the tables name no commit"]
    stamp = results.insert([readme], [made(checkout)], root=checkout)
    assert results.outlived([readme], root=checkout) == []
    (checkout / CODE).write_text("module unit; // faster\n")
    save(checkout)
    (said,) = results.outlived([readme], root=checkout)
    assert f"the tables are of commit {stamp}, before {CODE}" in said


def test_an_accuracy_that_nobody_knows_is_not_in_the_table():
    hardware = {"value": None, "images": 100, "source": "no labels"}
    assert "| not known | 32,468 |" in results.table(
        [pages.report(accuracy={"hardware": hardware})]
    )


def test_a_file_without_the_marks_is_refused(checkout):
    readme = page(checkout)
    with pytest.raises(ConfigError, match="marks"):
        results.insert([readme], [made(checkout)], root=checkout)
    readme.write_text("<!-- results -->\nno end\n")
    with pytest.raises(ConfigError, match="<!-- /results --> is missing"):
        results.insert([readme], [made(checkout)], root=checkout)
