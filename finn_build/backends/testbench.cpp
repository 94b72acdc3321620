// Drive Vtop: feed frames from a file, collect words, record when frames begin and end.
// Usage: Vtop PIXELS RESULTS FRAME_BYTES FRAME_WORDS LIMIT STALL SEED [WAVES]
//   PIXELS   raw input bytes, whole frames          RESULTS  words out, int32, little endian
//   LIMIT    cycles without any transfer that count as a hang
//   STALL    chance in 256 that a side pauses in a cycle
//   WAVES    VCD file, of a model that was compiled for it: 10 ns for each cycle, from 0
// beat.h defines INPUT_BYTES, how many bytes come in a beat.
// Prints one line per frame on stdout: cycle of its first input beat, cycle of its last word.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "Vtop.h"
#include "beat.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

int main(int argc, char** argv) {
  if (argc != 8 + VM_TRACE) {
    std::fprintf(stderr, "usage: %s PIXELS RESULTS FRAME_BYTES FRAME_WORDS LIMIT STALL SEED%s\n",
                 argv[0], VM_TRACE ? " WAVES" : "");
    return 2;
  }
  const size_t frame_bytes = std::strtoull(argv[3], nullptr, 10);
  const size_t frame_words = std::strtoull(argv[4], nullptr, 10);
  const uint64_t limit = std::strtoull(argv[5], nullptr, 10);
  const uint32_t stall = std::strtoul(argv[6], nullptr, 10);
  std::mt19937 random(std::strtoul(argv[7], nullptr, 10));

  std::FILE* in = std::fopen(argv[1], "rb");
  if (!in) {
    std::perror(argv[1]);
    return 2;
  }
  std::vector<uint8_t> pixels;
  uint8_t buffer[65536];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, in)) > 0;)
    pixels.insert(pixels.end(), buffer, buffer + n);
  std::fclose(in);
  const size_t frames = pixels.size() / frame_bytes;

  VerilatedContext context;
#if VM_TRACE
  context.traceEverOn(true);
#endif
  Vtop top{&context};
  const size_t beat_bytes = INPUT_BYTES;
  const size_t beats = frames * frame_bytes / beat_bytes;
  std::vector<int32_t> words;
  std::vector<uint64_t> first(frames), last(frames);

  auto pause = [&] { return stall && (random() & 255) < stall; };
  top.clk = 0;
  top.rst_n = 0;
  top.s_axis_tvalid = 0;
  top.m_axis_tready = 0;
  for (int i = 0; i < 8; ++i) {
    top.clk = 1;
    top.eval();
    top.clk = 0;
    top.eval();
  }
  top.rst_n = 1;
#if VM_TRACE
  VerilatedVcdC waves;
  top.trace(&waves, TRACE_LEVELS);
  waves.set_time_unit("1ns");
  waves.set_time_resolution("1ns");
  waves.open(argv[8]);
  auto dump = [&](uint64_t half_cycle) { waves.dump(5 * half_cycle); };
#else
  auto dump = [](uint64_t) {};
#endif

  size_t sent = 0;
  bool offered = false;
  uint64_t quiet = 0;
  for (uint64_t cycle = 0; words.size() < frames * frame_words; ++cycle) {
    // Once offered, a beat stays until it is taken.
    if (!offered) offered = sent < beats && !pause();
    if (offered) {
      uint64_t beat = 0;
      std::memcpy(&beat, &pixels[sent * beat_bytes], beat_bytes);
      top.s_axis_tdata = beat;
    }
    top.s_axis_tvalid = offered;
    top.m_axis_tready = !pause();
    top.eval();
    dump(2 * cycle);
    const bool take_in = top.s_axis_tvalid && top.s_axis_tready;
    const bool take_out = top.m_axis_tvalid && top.m_axis_tready;
    if (take_out) {
      const bool end = (words.size() + 1) % frame_words == 0;
      if (bool(top.m_axis_tlast) != end) {
        std::fprintf(stderr, "tlast is %d on word %zu of frame %zu\n", int(top.m_axis_tlast),
                     words.size() % frame_words, words.size() / frame_words);
        return 1;
      }
      if (end) last[words.size() / frame_words] = cycle;
      words.push_back(static_cast<int32_t>(top.m_axis_tdata));
    }
    if (take_in) {
      if (sent * beat_bytes % frame_bytes == 0) first[sent * beat_bytes / frame_bytes] = cycle;
      ++sent;
      offered = false;
    }
    quiet = take_in || take_out ? 0 : quiet + 1;
    if (quiet > limit) {
      std::fprintf(stderr, "no transfer for %llu cycles: %zu of %zu beats in, %zu words out\n",
                   static_cast<unsigned long long>(limit), sent, beats, words.size());
      return 1;
    }
    top.clk = 1;
    top.eval();
    dump(2 * cycle + 1);
    top.clk = 0;
    top.eval();
  }
  top.final();
#if VM_TRACE
  waves.close();
#endif

  std::FILE* out = std::fopen(argv[2], "wb");
  if (!out || std::fwrite(words.data(), 4, words.size(), out) != words.size() ||
      std::fclose(out) != 0) {
    std::perror(argv[2]);
    return 2;
  }
  for (size_t i = 0; i < frames; ++i)
    std::printf("%llu %llu\n", static_cast<unsigned long long>(first[i]),
                static_cast<unsigned long long>(last[i]));
  return 0;
}
