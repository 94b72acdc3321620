// mem_part - one array of a ROM, with a registered read: a memory of its own to every tool.
// dout = ROM[addr], if en
// Rate:   one word per cycle; latency one cycle.
// Needs:  the file INIT_FILE_PPPP.hex, PPPP the decimal digits of PART, in $readmemh format with
//         DEPTH words, or the only one twice; DEPTH*WIDTH at most 1,000,000; STYLE 1 for logic,
//         2 for block RAM.
//
// Tools refuse larger variables, leave arrays out that are only read at a constant place, and make
// registers of those that are read at several places.
`default_nettype none

module mem_part #(
  parameter int unsigned WIDTH     = 8,
  parameter int unsigned DEPTH     = 16,
  parameter              INIT_FILE = "",
  parameter int unsigned PART      = 0,
  parameter int unsigned STYLE     = 1,
  localparam int unsigned ADDR_W   = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
  input  wire               clk,
  input  wire               en,
  input  wire  [ADDR_W-1:0] addr,
  output logic [WIDTH-1:0]  dout
);

  localparam int unsigned WORDS = (DEPTH > 1) ? DEPTH : 2;

  if (WIDTH < 1 || DEPTH < 1) begin : gen_bad_size
    $error("mem_part: WIDTH and DEPTH must be at least 1");
  end
  if (WORDS * WIDTH > 1000000) begin : gen_bad_bits
    $error("mem_part: DEPTH*WIDTH must be at most 1,000,000");
  end
  if (PART > 9999) begin : gen_bad_part
    $error("mem_part: PART must be at most 9999");
  end
  if (STYLE != 1 && STYLE != 2) begin : gen_bad_style
    $error("mem_part: STYLE must be 1 or 2");
  end

  // "0" is 48.
  localparam logic [31:0] DIGITS = {
    8'(48 + PART / 1000 % 10), 8'(48 + PART / 100 % 10), 8'(48 + PART / 10 % 10), 8'(48 + PART % 10)
  };

  // The open tools drop the contents of LUT RAM, so the build changes "distributed" to "logic" for
  // them. Yosys finds the attribute by its literal text, not by the value of an expression: hence
  // one branch per style.
  if (STYLE == 2) begin : gen_block
    (* rom_style = "block" *) logic [WIDTH-1:0] mem [WORDS];
    initial $readmemh({INIT_FILE, "_", DIGITS, ".hex"}, mem);
    always_ff @(posedge clk) if (en) dout <= mem[addr];
  end else begin : gen_logic
    (* rom_style = "distributed" *) logic [WIDTH-1:0] mem [WORDS];
    initial $readmemh({INIT_FILE, "_", DIGITS, ".hex"}, mem);
    always_ff @(posedge clk) if (en) dout <= mem[addr];
  end

endmodule

`default_nettype wire
