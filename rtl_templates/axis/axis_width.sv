// axis_width - changes the number of elements per beat, for any ratio.
// y = x, element by element
// Stream: IN_ELEMS elements per beat in, OUT_ELEMS per beat out, element 0 first.
// Rate:   one beat per cycle on the narrower side; equal widths pass through as wires. Where
//         neither width divides the other, up to their least common multiple and down again.
// Needs:  a whole number of beats on both sides per frame, or the rest waits for the next one.
`default_nettype none

module axis_width #(
  parameter int unsigned ELEM_W    = 8,
  parameter int unsigned IN_ELEMS  = 4,
  parameter int unsigned OUT_ELEMS = 6
) (
  input  wire                         clk,
  input  wire                         rst_n,

  input  wire  [IN_ELEMS*ELEM_W-1:0]  s_axis_tdata,
  input  wire                         s_axis_tvalid,
  output logic                        s_axis_tready,

  output logic [OUT_ELEMS*ELEM_W-1:0] m_axis_tdata,
  output logic                        m_axis_tvalid,
  input  wire                         m_axis_tready
);

  if (ELEM_W < 1) begin : gen_bad_elem_w
    $error("axis_width: ELEM_W must be at least 1");
  end
  if (IN_ELEMS < 1 || OUT_ELEMS < 1) begin : gen_bad_elems
    $error("axis_width: IN_ELEMS and OUT_ELEMS must be at least 1");
  end

  function automatic int unsigned lcm(input int unsigned a, input int unsigned b);
    int unsigned multiple;
    multiple = a;
    while (multiple % b != 0) multiple = multiple + a;
    return multiple;
  endfunction

  localparam int unsigned WIDE_ELEMS = lcm(IN_ELEMS, OUT_ELEMS);
  localparam int unsigned UP         = WIDE_ELEMS / IN_ELEMS;
  localparam int unsigned DOWN       = WIDE_ELEMS / OUT_ELEMS;

  logic [WIDE_ELEMS*ELEM_W-1:0] wide_tdata;
  logic                         wide_tvalid, wide_tready;

  if (UP > 1) begin : gen_up
    axis_upsize #(
      .DATA_W(IN_ELEMS * ELEM_W),
      .RATIO (UP)
    ) u_upsize (
      .clk          (clk),
      .rst_n        (rst_n),
      .s_axis_tdata (s_axis_tdata),
      .s_axis_tvalid(s_axis_tvalid),
      .s_axis_tready(s_axis_tready),
      .m_axis_tdata (wide_tdata),
      .m_axis_tvalid(wide_tvalid),
      .m_axis_tready(wide_tready)
    );
  end else begin : gen_no_up
    assign wide_tdata    = s_axis_tdata;
    assign wide_tvalid   = s_axis_tvalid;
    assign s_axis_tready = wide_tready;
  end

  if (DOWN > 1) begin : gen_down
    axis_downsize #(
      .DATA_W(OUT_ELEMS * ELEM_W),
      .RATIO (DOWN)
    ) u_downsize (
      .clk          (clk),
      .rst_n        (rst_n),
      .s_axis_tdata (wide_tdata),
      .s_axis_tvalid(wide_tvalid),
      .s_axis_tready(wide_tready),
      .m_axis_tdata (m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready)
    );
  end else begin : gen_no_down
    assign m_axis_tdata  = wide_tdata;
    assign m_axis_tvalid = wide_tvalid;
    assign wide_tready   = m_axis_tready;
  end

  if (UP == 1 && DOWN == 1) begin : gen_wires
    logic unused;
    assign unused = &{1'b0, clk, rst_n};
  end

endmodule

`default_nettype wire
