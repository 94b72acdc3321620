// axis_upsize - gathers RATIO beats into a wide one.
// y = {x[RATIO-1], ..., x[0]}
// Stream: RATIO beats in, one beat out; the first beat is the least significant.
// Rate:   one beat in per cycle; the next group gathers while the consumer holds the last.
// Needs:  RATIO >= 2.
`default_nettype none

module axis_upsize #(
  parameter int unsigned DATA_W = 8,
  parameter int unsigned RATIO  = 2
) (
  input  wire                     clk,
  input  wire                     rst_n,

  input  wire  [DATA_W-1:0]       s_axis_tdata,
  input  wire                     s_axis_tvalid,
  output logic                    s_axis_tready,

  output logic [RATIO*DATA_W-1:0] m_axis_tdata,
  output logic                    m_axis_tvalid,
  input  wire                     m_axis_tready
);

  if (DATA_W < 1) begin : gen_bad_data_w
    $error("axis_upsize: DATA_W must be at least 1");
  end
  if (RATIO < 2) begin : gen_bad_ratio
    $error("axis_upsize: RATIO must be at least 2");
  end

  localparam int unsigned INDEX_W  = $clog2(RATIO);
  localparam int unsigned GATHER_W = (RATIO - 1) * DATA_W;

  logic [GATHER_W-1:0]     gather_q, gather_d;
  logic [RATIO*DATA_W-1:0] out_q;
  logic                    out_vld_q;
  logic [INDEX_W-1:0]      index_q;
  // The next beat is the last of its group; a register, since the producer waits for it.
  logic                    last_q;
  logic                    accept;

  assign s_axis_tready = !last_q || !out_vld_q || m_axis_tready;
  assign accept        = s_axis_tvalid && s_axis_tready;

  if (RATIO == 2) begin : gen_pair
    assign gather_d = s_axis_tdata;
  end else begin : gen_shift
    assign gather_d = {s_axis_tdata, gather_q[GATHER_W-1:DATA_W]};
  end

  always_ff @(posedge clk) begin
    if (accept && !last_q) gather_q <= gather_d;
    if (accept && last_q) out_q <= {s_axis_tdata, gather_q};
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      index_q   <= '0;
      last_q    <= 1'b0;
      out_vld_q <= 1'b0;
    end else begin
      if (accept) begin
        index_q <= last_q ? '0 : index_q + 1'b1;
        last_q  <= 32'(index_q) == RATIO - 2;
      end
      if (accept && last_q) out_vld_q <= 1'b1;
      else if (m_axis_tready) out_vld_q <= 1'b0;
    end
  end

  assign m_axis_tdata  = out_q;
  assign m_axis_tvalid = out_vld_q;

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(RATIO * DATA_W)) u_checker (.*);
`endif

endmodule

`default_nettype wire
