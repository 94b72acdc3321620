// axis_reserve - FIFO behind a pipeline that cannot stall: a place is reserved for each beat before
//                the work on it begins.
// y = x
// Stream: one beat out per beat in, in order; s_axis has no ready.
// Rate:   one beat per cycle; latency two cycles.
// Needs:  reserve high for one cycle before each beat comes, only while room is; DEPTH >= 2.
`default_nettype none

module axis_reserve #(
  parameter int unsigned DATA_W = 8,
  parameter int unsigned DEPTH  = 32
) (
  input  wire               clk,
  input  wire               rst_n,

  input  wire               reserve,
  output logic              room,

  input  wire  [DATA_W-1:0] s_axis_tdata,
  input  wire               s_axis_tvalid,

  output logic [DATA_W-1:0] m_axis_tdata,
  output logic              m_axis_tvalid,
  input  wire               m_axis_tready
);

  if (DATA_W < 1) begin : gen_bad_data_w
    $error("axis_reserve: DATA_W must be at least 1");
  end
  if (DEPTH < 2) begin : gen_bad_depth
    $error("axis_reserve: DEPTH must be at least 2");
  end

  // Beats in the pipeline and in the FIFO together never exceed the FIFO.
  localparam int unsigned USED_W = $clog2(DEPTH + 1);
  logic [USED_W-1:0] used_q;
  logic              room_q, fifo_rdy, taken;

  assign room  = room_q;
  assign taken = m_axis_tvalid && m_axis_tready;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      used_q <= '0;
      room_q <= 1'b1;
    end else if (reserve && !taken) begin
      used_q <= used_q + 1'b1;
      room_q <= 32'(used_q) < DEPTH - 1;
    end else if (taken && !reserve) begin
      used_q <= used_q - 1'b1;
      room_q <= 1'b1;
    end
  end

  axis_fifo #(
    .DATA_W   (DATA_W),
    .DEPTH    (DEPTH),
    .RAM_STYLE(1)
  ) u_fifo (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata (s_axis_tdata),
    .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tready(fifo_rdy),
    .m_axis_tdata (m_axis_tdata),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

`ifdef SYNTHESIS
  logic unused;
  assign unused = &{1'b0, fifo_rdy};
`else
  // Judged a cycle later, so that nothing counts before the first reset.
  room_rule : assert property (@(posedge clk) disable iff (!rst_n)
    s_axis_tvalid && !fifo_rdy |=> 1'b0);
`endif

endmodule

`default_nettype wire
