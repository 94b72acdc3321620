// axis_downsize - splits a wide beat into RATIO narrow ones.
// y[i] = x[i*DATA_W +: DATA_W]
// Stream: one beat in, RATIO beats out; the least significant part goes first.
// Rate:   one beat out per cycle; the next wide beat is taken with the last part of this one.
// Needs:  RATIO >= 2.
`default_nettype none

module axis_downsize #(
  parameter int unsigned DATA_W = 8,
  parameter int unsigned RATIO  = 2
) (
  input  wire                     clk,
  input  wire                     rst_n,

  input  wire  [RATIO*DATA_W-1:0] s_axis_tdata,
  input  wire                     s_axis_tvalid,
  output logic                    s_axis_tready,

  output logic [DATA_W-1:0]       m_axis_tdata,
  output logic                    m_axis_tvalid,
  input  wire                     m_axis_tready
);

  if (DATA_W < 1) begin : gen_bad_data_w
    $error("axis_downsize: DATA_W must be at least 1");
  end
  if (RATIO < 2) begin : gen_bad_ratio
    $error("axis_downsize: RATIO must be at least 2");
  end

  localparam int unsigned INDEX_W = $clog2(RATIO);

  logic [RATIO*DATA_W-1:0] shift_q;
  logic                    vld_q;
  logic [INDEX_W-1:0]      index_q;
  // The beat at the output is the last of its group; a register, since the producer waits for it.
  logic                    last_q;
  logic                    load, step;

  assign step          = vld_q && m_axis_tready;
  assign s_axis_tready = !vld_q || (m_axis_tready && last_q);
  assign load          = s_axis_tvalid && s_axis_tready;

  always_ff @(posedge clk) begin
    if (s_axis_tready) shift_q <= s_axis_tdata;
    else if (m_axis_tready) shift_q <= shift_q >> DATA_W;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      index_q <= '0;
      last_q  <= 1'b0;
      vld_q   <= 1'b0;
    end else begin
      if (step) begin
        index_q <= last_q ? '0 : index_q + 1'b1;
        last_q  <= 32'(index_q) == RATIO - 2;
      end
      if (load) vld_q <= 1'b1;
      else if (step && last_q) vld_q <= 1'b0;
    end
  end

  assign m_axis_tdata  = shift_q[DATA_W-1:0];
  assign m_axis_tvalid = vld_q;

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(DATA_W)) u_checker (.*);
`endif

endmodule

`default_nettype wire
