// mem_ram - memory with a port that writes and a port that reads.
// rd_data = RAM[rd_addr], at once, or where OUT_REG is 1, a cycle after rd_en
// Rate:   a word in and a word out per cycle; what is written is there from the next cycle on.
// Needs:  DEPTH >= 2; STYLE 1 for LUT RAM, 2 for block RAM, 0 for what the tool chooses; OUT_REG 1
//         for block RAM, of which no word may be read in the cycle that writes it.
`default_nettype none

module mem_ram #(
  parameter int unsigned  WIDTH   = 8,
  parameter int unsigned  DEPTH   = 32,
  parameter int unsigned  STYLE   = 1,
  parameter bit           OUT_REG = 0,
  localparam int unsigned ADDR_W  = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
  input  wire               clk,

  input  wire               wr_en,
  input  wire  [ADDR_W-1:0] wr_addr,
  input  wire  [WIDTH-1:0]  wr_data,

  input  wire               rd_en,
  input  wire  [ADDR_W-1:0] rd_addr,
  output logic [WIDTH-1:0]  rd_data
);

  if (WIDTH < 1 || DEPTH < 2) begin : gen_bad_size
    $error("mem_ram: WIDTH must be at least 1, DEPTH at least 2");
  end
  if (STYLE > 2) begin : gen_bad_style
    $error("mem_ram: STYLE must be 0, 1 or 2");
  end
  if (STYLE == 2 && !OUT_REG) begin : gen_bad_out_reg
    $error("mem_ram: OUT_REG must be 1 for block RAM");
  end

  // Each style has a literal text for its attribute: an expression that chooses between texts is as
  // wide as the widest, and pads the others.
  logic [WIDTH-1:0] word;
  if (STYLE == 1) begin : gen_distributed
    (* ram_style = "distributed" *) logic [WIDTH-1:0] mem [DEPTH];
    always_ff @(posedge clk) begin
      if (wr_en) mem[wr_addr] <= wr_data;
    end
    assign word = mem[rd_addr];
  end else if (STYLE == 2) begin : gen_block
    (* ram_style = "block" *) logic [WIDTH-1:0] mem [DEPTH];
    always_ff @(posedge clk) begin
      if (wr_en) mem[wr_addr] <= wr_data;
    end
    assign word = mem[rd_addr];
  end else begin : gen_auto
    (* ram_style = "auto" *) logic [WIDTH-1:0] mem [DEPTH];
    always_ff @(posedge clk) begin
      if (wr_en) mem[wr_addr] <= wr_data;
    end
    assign word = mem[rd_addr];
  end

  if (OUT_REG) begin : gen_out_reg
    always_ff @(posedge clk) begin
      if (rd_en) rd_data <= word;
    end
  end else begin : gen_no_out_reg
    assign rd_data = word;
    logic unused;
    assign unused = &{1'b0, rd_en};
  end

endmodule

`default_nettype wire
