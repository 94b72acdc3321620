"""Let FINN streamline the QONNX model, so that its way to integers can be compared with ours."""

from pathlib import Path

from finn_build.backends import tools
from finn_build.errors import ToolError
from finn_build.flow.pipeline import Build
from finn_build.frontend.file import parse
from finn_build.system.files import save_json

RESULT = "result.json"
_PATIENCE_S = 120.0


def run(build: Build, out: Path) -> str:
    """Leave streamlined.onnx, lowered.onnx and result.json in `out`.

    The accelerator does not depend on FINN: a model that its passes do not take is compared with
    QONNX's own execution alone.
    """
    model = build.path("export", "model.onnx")
    why = None
    try:
        tools.run_module(
            "finn_build.frontend.finn",
            model,
            out,
            log=build.log("streamline"),
            limit_s=_PATIENCE_S,
        )
    except ToolError as error:
        why = str(error).strip().splitlines()[-1][:200]
    graphs = {path.stem: len(parse(path).graph.node) for path in sorted(out.glob("*.onnx"))}
    save_json(out / RESULT, {"graphs": graphs, "why": why})
    before = len(parse(model).graph.node)
    if why is not None:
        return f"FINN's passes do not take this model ({why}); QONNX alone is compared with"
    return f"{before} nodes of QONNX to {graphs['lowered']} of FINN"
