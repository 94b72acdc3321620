// axis_fifo - synchronous FIFO in LUT RAM or block RAM, with a registered output.
// y = x
// Stream: one beat out per beat in, in order.
// Rate:   one beat per cycle; latency two cycles; holds DEPTH beats and one in the output register.
// Needs:  DEPTH >= 2; RAM_STYLE 1 for LUT RAM, 2 for block RAM, 0 for what the tool chooses.
`default_nettype none

module axis_fifo #(
  parameter int unsigned DATA_W    = 8,
  parameter int unsigned DEPTH     = 32,
  parameter int unsigned RAM_STYLE = 0
) (
  input  wire               clk,
  input  wire               rst_n,

  input  wire  [DATA_W-1:0] s_axis_tdata,
  input  wire               s_axis_tvalid,
  output logic              s_axis_tready,

  output logic [DATA_W-1:0] m_axis_tdata,
  output logic              m_axis_tvalid,
  input  wire               m_axis_tready
);

  if (DATA_W < 1) begin : gen_bad_data_w
    $error("axis_fifo: DATA_W must be at least 1");
  end
  if (DEPTH < 2) begin : gen_bad_depth
    $error("axis_fifo: DEPTH must be at least 2");
  end
  if (RAM_STYLE > 2) begin : gen_bad_style
    $error("axis_fifo: RAM_STYLE must be 0, 1 or 2");
  end

  localparam int unsigned PTR_W   = $clog2(DEPTH);
  localparam int unsigned COUNT_W = $clog2(DEPTH + 1);

  logic [PTR_W-1:0]   wr_ptr_q, rd_ptr_q;
  logic [COUNT_W-1:0] count_q;
  // some_q: count_q is not 0.
  logic               out_vld_q, ready_q, some_q;
  logic               push, pop;

  assign push = s_axis_tvalid && ready_q;
  assign pop  = some_q && (!out_vld_q || m_axis_tready);

  // An entry is counted one cycle after its write: a word is never read while it is written.
  mem_ram #(
    .WIDTH  (DATA_W),
    .DEPTH  (DEPTH),
    .STYLE  (RAM_STYLE),
    .OUT_REG(1)
  ) u_ram (
    .clk    (clk),
    .wr_en  (push),
    .wr_addr(wr_ptr_q),
    .wr_data(s_axis_tdata),
    .rd_en  (pop),
    .rd_addr(rd_ptr_q),
    .rd_data(m_axis_tdata)
  );

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      wr_ptr_q  <= '0;
      rd_ptr_q  <= '0;
      count_q   <= '0;
      out_vld_q <= 1'b0;
      ready_q   <= 1'b0;
      some_q    <= 1'b0;
    end else begin
      if (push) wr_ptr_q <= (32'(wr_ptr_q) == DEPTH - 1) ? '0 : wr_ptr_q + 1'b1;
      if (pop) rd_ptr_q <= (32'(rd_ptr_q) == DEPTH - 1) ? '0 : rd_ptr_q + 1'b1;
      if (push && !pop) begin
        count_q <= count_q + 1'b1;
        ready_q <= 32'(count_q) < DEPTH - 1;
        some_q  <= 1'b1;
      end else if (pop && !push) begin
        count_q <= count_q - 1'b1;
        ready_q <= 1'b1;
        some_q  <= 32'(count_q) != 1;
      end else begin
        ready_q <= 32'(count_q) < DEPTH;
      end
      if (pop) out_vld_q <= 1'b1;
      else if (m_axis_tready) out_vld_q <= 1'b0;
    end
  end

  assign s_axis_tready = ready_q;
  assign m_axis_tvalid = out_vld_q;

`ifdef VERILATOR
  // The most beats that waited, for the report, which compares them with DEPTH.
  logic [COUNT_W-1:0] most_q;
  always_ff @(posedge clk) begin
    if (!rst_n) most_q <= '0;
    else if (count_q > most_q) most_q <= count_q;
  end
  final $display("fifo %m %0d %0d", DEPTH, most_q);
`endif

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(DATA_W)) u_checker (.*);
`endif

endmodule

`default_nettype wire
