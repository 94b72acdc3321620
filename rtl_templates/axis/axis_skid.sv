// axis_skid - two-deep buffer that cuts both valid and ready.
// y = x
// Stream: one beat out per beat in; both tvalid and tready come straight from registers.
// Rate:   one beat per cycle; latency one cycle.
// Needs:  DATA_W >= 1.
`default_nettype none

module axis_skid #(
  parameter int unsigned DATA_W = 8
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
    $error("axis_skid: DATA_W must be at least 1");
  end

  logic [DATA_W-1:0] out_q, skid_q;
  logic              out_vld_q, skid_vld_q, ready_q;
  logic              out_free, accept;

  assign out_free = !out_vld_q || m_axis_tready;
  assign accept   = s_axis_tvalid && ready_q;

  always_ff @(posedge clk) begin
    if (out_free) out_q <= skid_vld_q ? skid_q : s_axis_tdata;
    if (ready_q) skid_q <= s_axis_tdata;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      out_vld_q  <= 1'b0;
      skid_vld_q <= 1'b0;
      ready_q    <= 1'b0;
    end else if (out_free) begin
      out_vld_q  <= skid_vld_q || accept;
      skid_vld_q <= 1'b0;
      ready_q    <= 1'b1;
    end else begin
      skid_vld_q <= skid_vld_q || accept;
      ready_q    <= !(skid_vld_q || accept);
    end
  end

  assign s_axis_tready = ready_q;
  assign m_axis_tdata  = out_q;
  assign m_axis_tvalid = out_vld_q;

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(DATA_W)) u_checker (.*);
`endif

endmodule

`default_nettype wire
