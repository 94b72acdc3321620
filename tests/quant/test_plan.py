from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from quant.options import PruneOptions, TrainOptions
from quant.plan import Plan
from quant.prune_plan import PrunePlan
from quant.recipes import RECIPES, TEACHER_TRAINING
from quant.topologies import TEACHER

OURS = RECIPES["ours"]
START = Path("float.safetensors")


def test_the_command_line_has_the_plans_options_and_defaults() -> None:
    """But the teacher's widths, which only a list of trainings gives, and no layer is None."""
    options = vars(TrainOptions())
    assert {**options, "layer": ()} == {
        f.name: f.default for f in fields(Plan) if f.name != "widths"
    }
    assert options["layer"] is None


def test_the_command_line_has_the_prunings_options_and_defaults() -> None:
    assert vars(PruneOptions(start=START)) == vars(PrunePlan(start=START))


def test_without_a_teacher_only_the_quantised_network_imitates() -> None:
    plan = Plan(distill=0.5, temperature=4.0)
    assert plan.first() == OURS.float_training
    assert plan.second() == replace(OURS.quant_training, distill=0.5, distill_temperature=4.0)


def test_with_a_teacher_both_phases_see_its_views() -> None:
    plan = Plan(teacher=Path("t.safetensors"), temperature=4.0, float_epochs=3, lr=1e-4, seed=2)
    for training in (plan.first(), plan.second()):
        assert training.views == 8
        assert training.distill == 0.9
        assert training.distill_temperature == 4.0
        assert training.cutout_px == 0
        assert training.seed == 2
    assert (plan.first().epochs, plan.first().lr) == (3, OURS.float_training.lr)
    assert (plan.second().epochs, plan.second().lr) == (OURS.quant_training.epochs, 1e-4)
    assert replace(plan, views=0).second().views == 0


def test_the_teacher_has_a_recipe_of_its_own(tmp_path: Path) -> None:
    plan = Plan(network=TEACHER, float_epochs=2, batch=8, recipe="paper")
    assert plan.teaching() == replace(TEACHER_TRAINING, epochs=2, batch=8)
    assert plan.result(tmp_path) == tmp_path / "teacher.safetensors"
    assert Plan(bits="float").result(tmp_path) == tmp_path / "float.safetensors"
    assert Plan().result(tmp_path / "w2a2").name == "w2a2.safetensors"
