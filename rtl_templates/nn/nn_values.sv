// nn_values - gives every value as a word, for a network that ends in values.
// y[i] = x[i], sign-extended to 32 bits, or zero-extended where SIGNED is 0
// Stream: one value per beat in; beats of 32 bits out, m_axis_tlast on the last of VALUES.
// Rate:   one beat per cycle; latency one cycle.
// Needs:  1 <= VALUE_W <= 32.
`default_nettype none

module nn_values #(
  parameter int unsigned VALUES  = 12,
  parameter int unsigned VALUE_W = 8,
  parameter int unsigned SIGNED  = 1
) (
  input  wire                clk,
  input  wire                rst_n,

  input  wire  [VALUE_W-1:0] s_axis_tdata,
  input  wire                s_axis_tvalid,
  output logic               s_axis_tready,

  output logic [31:0]        m_axis_tdata,
  output logic               m_axis_tlast,
  output logic               m_axis_tvalid,
  input  wire                m_axis_tready
);

  if (VALUES < 1) begin : gen_bad_values
    $error("nn_values: VALUES must be at least 1");
  end
  if (VALUE_W < 1 || VALUE_W > 32) begin : gen_bad_value_w
    $error("nn_values: VALUE_W must be 1 to 32");
  end

  logic last;

  if (VALUES > 1) begin : gen_count
    localparam int unsigned COUNT_W = $clog2(VALUES);
    logic [COUNT_W-1:0] count_q;

    assign last = 32'(count_q) == VALUES - 1;

    always_ff @(posedge clk) begin
      if (!rst_n) count_q <= '0;
      else if (s_axis_tvalid && s_axis_tready) count_q <= last ? '0 : count_q + 1'b1;
    end
  end else begin : gen_single
    assign last = 1'b1;
  end

  logic [VALUE_W-1:0] value;

  axis_skid #(
    .DATA_W(VALUE_W + 1)
  ) u_skid (
    .clk          (clk),
    .rst_n        (rst_n),
    .s_axis_tdata ({last, s_axis_tdata}),
    .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tready(s_axis_tready),
    .m_axis_tdata ({m_axis_tlast, value}),
    .m_axis_tvalid(m_axis_tvalid),
    .m_axis_tready(m_axis_tready)
  );

  // Behind the registers, which need not hold copies of the sign.
  if (VALUE_W < 32) begin : gen_extended
    logic sign;
    assign sign         = (SIGNED != 0) && value[VALUE_W-1];
    assign m_axis_tdata = {{(32 - VALUE_W){sign}}, value};
  end else begin : gen_as_wide
    assign m_axis_tdata = value;
  end

`ifndef SYNTHESIS
  axis_checker #(.DATA_W(33)) u_checker (.m_axis_tdata({m_axis_tlast, m_axis_tdata}), .*);
`endif

endmodule

`default_nettype wire
