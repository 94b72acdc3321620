// mem_rom - ROM with a registered read, filled from files.
// dout = ROM[addr]
// Rate:   one word per cycle; latency 1 + OUT_REG cycles.
// Needs:  INIT_FILE as mem_part says: part s has bits s*SLICE and up of every word, or where
//         OUT_REG is 2, part s*BANKS + b those of bank b, whose last words are anything.
//         STYLE 1, logic: OUT_REG 1, or 2 for more than 256 words, which are read bank by bank;
//         STYLE 2, block RAM: OUT_REG 0 or 1.
`default_nettype none

module mem_rom #(
  parameter int unsigned WIDTH     = 8,
  parameter int unsigned DEPTH     = 16,
  parameter              INIT_FILE = "",
  parameter int unsigned STYLE     = 1,
  parameter int unsigned OUT_REG   = 1,
  localparam int unsigned ADDR_W   = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
  input  wire               clk,
  input  wire  [ADDR_W-1:0] addr,
  output logic [WIDTH-1:0]  dout
);

  if (WIDTH < 1) begin : gen_bad_width
    $error("mem_rom: WIDTH must be at least 1");
  end
  if (DEPTH < 1) begin : gen_bad_depth
    $error("mem_rom: DEPTH must be at least 1");
  end
  if (STYLE != 1 && STYLE != 2) begin : gen_bad_style
    $error("mem_rom: STYLE must be 1 or 2");
  end
  if (OUT_REG > 2 || (OUT_REG == 2 && (STYLE != 1 || DEPTH <= 256)) || (OUT_REG == 0 && STYLE == 1))
    begin : gen_bad_out_reg
    $error("mem_rom: OUT_REG must be 1, or 0 for block RAM, or 2 for logic of more than 256 words");
  end

  // Bits of a slice. In logic, those that one address register reads: each takes a LUT for every 64
  // words, but few words make few different functions, which the bits share. In block RAM, what an
  // array may hold: 1,000,000 bits, in whole blocks of 72 bits where that is possible.
  localparam int unsigned LOGIC =
      (DEPTH <= 8) ? 256 : (DEPTH <= 512) ? 64 / ((DEPTH + 63) / 64) : 8;
  localparam int unsigned MOST  = 1000000 / ((DEPTH > 1) ? DEPTH : 2);
  localparam int unsigned BLOCK = (MOST >= 72) ? MOST / 72 * 72 : (MOST > 0) ? MOST : 1;
  localparam int unsigned SLICE = (STYLE == 1) ? LOGIC : BLOCK;
  // Words of a bank: four LUTs a bit and the multiplexers behind them.
  localparam int unsigned BANK  = 256;

  // In logic the first register holds the address, with a copy for each slice of the word, so that
  // none drives the whole word. keep: tools must not merge the copies.
  for (genvar low = 0; low < int'(WIDTH); low += int'(SLICE)) begin : gen_slice
    localparam int unsigned REST = int'(WIDTH) - low;
    localparam int unsigned BITS = (REST < SLICE) ? REST : SLICE;
    localparam int unsigned S    = low / SLICE;
    logic [BITS-1:0] word;

    if (OUT_REG == 2) begin : gen_banked
      // The second register holds a word of each bank, the third the one that was asked for.
      localparam int unsigned BANKS  = (DEPTH + BANK - 1) / BANK;
      localparam int unsigned WORD_W = $clog2(BANK);
      (* keep = "true" *) logic [ADDR_W-1:0] addr_q;
      (* keep = "true" *) logic [ADDR_W-WORD_W-1:0] bank_q;
      logic [BITS-1:0] words [BANKS];
      for (genvar b = 0; b < int'(BANKS); b++) begin : gen_bank
        mem_part #(
          .WIDTH    (BITS),
          .DEPTH    (BANK),
          .INIT_FILE(INIT_FILE),
          .PART     (S * BANKS + b),
          .STYLE    (STYLE)
        ) u_part (
          .clk (clk),
          .en  (1'b1),
          .addr(addr_q[WORD_W-1:0]),
          .dout(words[b])
        );
      end
      always_ff @(posedge clk) begin
        addr_q <= addr;
        bank_q <= addr_q[ADDR_W-1:WORD_W];
        word   <= words[bank_q];
      end
    end else begin : gen_whole
      logic [ADDR_W-1:0] asked;
      logic [BITS-1:0]   read;
      mem_part #(
        .WIDTH    (BITS),
        .DEPTH    (DEPTH),
        .INIT_FILE(INIT_FILE),
        .PART     (S),
        .STYLE    (STYLE)
      ) u_part (
        .clk (clk),
        .en  (1'b1),
        .addr(asked),
        .dout(read)
      );

      if (STYLE == 1 && DEPTH > 1) begin : gen_logic
        (* keep = "true" *) logic [ADDR_W-1:0] addr_q;
        always_ff @(posedge clk) addr_q <= addr;
        assign asked = addr_q;
        assign word  = read;
      end else begin : gen_direct
        assign asked = addr;
        if (OUT_REG != 0) begin : gen_out_reg
          always_ff @(posedge clk) word <= read;
        end else begin : gen_no_out_reg
          assign word = read;
        end
      end
    end

    assign dout[low +: BITS] = word;
  end

endmodule

`default_nettype wire
