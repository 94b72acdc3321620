"""The lint for Vivado finds every construct that it is there for, and no other."""

import constructs
import pytest

# A memory that is loaded, and what reads it.
MEMORY = """
  (* rom_style = "distributed" *) logic [{width}-1:0] mem [{depth}];
  initial $readmemh({{FILE, "_0.hex"}}, mem);
  always_ff @(posedge clk) q <= {read};
"""
CHAIN = """
  logic [7:0] end_of_chain;
  assign end_of_chain = gen_tap[3].p_q;
  assign q = end_of_chain;
"""
TAPS = """
  for (genvar t = 0; t < 4; t++) begin : gen_tap
    logic [7:0] p_q, so_far;
    assign so_far = {so_far};
    always_ff @(posedge clk) p_q <= so_far + x;
  end
"""
SYNCHRONISER = """
  logic [3:0] resets_n;
  PS7 u_ps7 (.FCLKRESETN(resets_n));
  {attribute} logic [1:0] sync_q;
  always_ff @(posedge clk) sync_q <= {{sync_q[0], resets_n[0]}};
  assign q = 8'(sync_q[1]);
"""
STUB = """
(* blackbox *) module PS7 (output wire [3:0] FCLKRESETN);
  initial $display("a stand-in may have anything");
endmodule
"""


def memory(read: str, *, width: int = 8, depth: int = 256) -> str:
    return MEMORY.format(width=width, depth=depth, read=read)


def taps(so_far: str) -> str:
    return TAPS.format(so_far=so_far)


FAULTY = {
    "typed string": [
        ('parameter string STYLE = "auto"', "assign q = x;"),
        ("parameter int K = 1", 'localparam string NAME = "a"; assign q = x;'),
    ],
    "constant memory": [
        ('parameter FILE = "rom"', memory("mem[0]", depth=2)),
        ('parameter FILE = "rom"', memory("mem[0] + mem[3-2]", depth=2)),
        ('parameter FILE = "rom"', memory("x")),
    ],
    "large variable": [
        ('parameter FILE = "rom"', memory("mem[x][7:0]", width=3907)),
        ("int W = 1000001", "logic [W-1:0] all; assign all = W'(x); assign q = all[7:0];"),
    ],
    "shared memory": [
        (
            'parameter FILE = "rom"',
            memory("mem[x[5:0]][7:0] ^ mem[~x[5:0]][3119:3112]", width=3120, depth=48),
        ),
    ],
    "signed cast": [
        ("int W = 8", "assign q = W'(signed'(x[3:0]));"),
        ("int W = 4", "assign q = 8'(W'(signed'(x)));"),
        ("int W = 8", "logic signed [3:0] s; assign s = x[3:0]; assign q = W'(s);"),
        ("int W = 8, int START = -3", "assign q = 8'(40'(START) >> 32);"),
    ],
    "later reference": [
        ("int K = 1", CHAIN + taps("8'd1")),
        ("int K = 1", taps("(t < 3) ? gen_tap[(t + 1) % 4].p_q : 8'd1") + CHAIN),
    ],
    "initial": [
        (
            "int K = 1",
            "logic [7:0] r; initial r = 0; always_ff @(posedge clk) r <= x;assign q = r;",
        ),
        (
            'parameter FILE = "rom"',
            memory("mem[x]").replace("initial", 'initial if (FILE != "")'),
        ),
        (
            'parameter FILE = "rom"',
            "logic [7:0] mem [256];\n"
            "initial begin for (int i = 0; i < 256; i++) mem[i] = 0; $readmemh(FILE, mem); end\n"
            "always_ff @(posedge clk) q <= mem[x];",
        ),
    ],
    "unknown attribute": [
        ('parameter FILE = "rom"', memory("mem[x]").replace("distributed", "logic")),
        ("int K = 1", '(* ram_stile = "block" *) logic [7:0] r; assign r = x; assign q = r;'),
        ("int K = 1", '(* use_dsp48 = "yes" *) logic [7:0] r; assign r = x; assign q = r;'),
    ],
    "assertion": [
        ("int K = 1", "assign q = x; rule : assert property (@(posedge clk) x != 8'd3);"),
        ("int K = 1", "always_comb begin q = x; assert (x != 8'd3); end"),
    ],
    "synchroniser": [("int K = 1", SYNCHRONISER.format(attribute=""))],
    "comparison with '1": [("int K = 1", "assign q = (x == '1) ? 8'd1 : 8'd0;")],
}
SOUND = {
    "a memory": ('parameter FILE = "rom"', memory("mem[x]")),
    "two readers of few bits": ('parameter FILE = "rom"', memory("mem[x] ^ mem[~x]")),
    "a register": (
        "int K = 1",
        "logic [7:0] r = '0; always_ff @(posedge clk) r <= x; assign q = r;",
    ),
    "earlier turns": (
        "int K = 1",
        taps("(t > 0) ? gen_tap[(t + 3) % 4].p_q : 8'd1").replace(
            "assign so_far = (t > 0) ? gen_tap[(t + 3) % 4].p_q : 8'd1;",
            "if (t > 0) begin : gen_next assign so_far = gen_tap[t-1].p_q; end\n"
            "else begin : gen_first assign so_far = 8'd1; end",
        )
        + CHAIN,
    ),
    "casts": ("int W = 12, int START = -3", "assign q = 8'(START) ^ 8'(W'(x)) ^ 8'($clog2(W));"),
    "a guard": (
        "int K = 1",
        "assign q = x;\n`ifndef SYNTHESIS\nr : assert property (@(posedge clk) x != 8'd3);\n`endif",
    ),
    "a synchroniser": ("int K = 1", SYNCHRONISER.format(attribute='(* ASYNC_REG = "TRUE" *)')),
}


def kinds(tmp_path, parameters, body):
    text = (
        f"module unit #({parameters}) (\n"
        f"  input wire clk, input wire [7:0] x, output logic [7:0] q\n);\n{body}\nendmodule\n"
    )
    (tmp_path / "unit.sv").write_text(text)
    (tmp_path / "PS7.sv").write_text(STUB)
    return {each.kind for each in constructs.faults([tmp_path / "unit.sv"], "unit", {}, [tmp_path])}


@pytest.mark.parametrize(
    ("kind", "parameters", "body"),
    [(kind, *case) for kind, cases in FAULTY.items() for case in cases],
)
def test_a_fault_is_found(tmp_path, kind, parameters, body):
    assert kinds(tmp_path, parameters, body) == {kind}


@pytest.mark.parametrize("name", SOUND)
def test_what_is_right_is_no_fault(tmp_path, name):
    assert kinds(tmp_path, *SOUND[name]) == set()


def test_a_warning_of_the_parser_is_a_fault_with_its_place(tmp_path):
    (tmp_path / "unit.sv").write_text(
        "module unit (input wire [7:0] x, output logic [3:0] q);\n  assign q = x;\nendmodule\n"
    )
    [found] = constructs.faults([tmp_path / "unit.sv"], "unit")
    assert str(found) == "unit.sv:2: WidthTruncate: 8, 4"


def test_a_parameter_reaches_the_module(tmp_path):
    (tmp_path / "unit.sv").write_text(
        'module unit #(parameter FILE = "", int K = 0, logic [7:0] H = 0) (output logic [7:0] q);\n'
        '  if (FILE != "a" || K != -1 || H != 3) begin : gen_bad $error("no"); end\n'
        "  assign q = H;\nendmodule\n"
    )
    values = {"FILE": "a", "K": -1, "H": "8'h3"}
    assert constructs.faults([tmp_path / "unit.sv"], "unit", values) == []
