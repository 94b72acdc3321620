// nn_choose - one of the words that lie side by side.
// y = x[index], index = next of the cycle before, 0 after a reset
// Each part of y has an index of its own, so that no register chooses more than 24 bits.
`default_nettype none

module nn_choose #(
  parameter int unsigned WORD_W  = 8,
  parameter int unsigned WORDS   = 2,
  parameter int unsigned INDEX_W = (WORDS > 1) ? $clog2(WORDS) : 1
) (
  input  wire                     clk,
  input  wire                     rst_n,

  input  wire  [INDEX_W-1:0]      next,
  input  wire  [WORDS*WORD_W-1:0] x,
  output logic [WORD_W-1:0]       y
);

  if (WORD_W < 1 || WORDS < 1) begin : gen_bad_size
    $error("nn_choose: WORD_W and WORDS must be at least 1");
  end
  if ((WORDS - 1) >> INDEX_W != 0) begin : gen_bad_index_w
    $error("nn_choose: INDEX_W is too small for WORDS");
  end

  localparam int unsigned DRIVEN = 24;

  if (WORDS == 1) begin : gen_whole
    assign y = x;
    logic unused;
    assign unused = &{1'b0, clk, rst_n, next};
  end else begin : gen_choice
    logic [WORD_W-1:0] word [WORDS];
    for (genvar n = 0; n < int'(WORDS); n++) begin : gen_word
      assign word[n] = x[n*WORD_W +: WORD_W];
    end
    for (genvar low = 0; low < int'(WORD_W); low += int'(DRIVEN)) begin : gen_part
      localparam int unsigned REST = WORD_W - low;
      localparam int unsigned BITS = (REST < DRIVEN) ? REST : DRIVEN;
      (* keep = "true" *) logic [INDEX_W-1:0] index_q;
      always_ff @(posedge clk) begin
        if (!rst_n) index_q <= '0;
        else index_q <= next;
      end
      assign y[low +: BITS] = word[index_q][low +: BITS];
    end
  end

endmodule

`default_nettype wire
