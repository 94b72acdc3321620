// Moves LUTs and flip-flops of a placed 7-series design until wires are short.
//
// Simulated annealing with the cost and schedule of VPR (Betz and Rose, FPL 1997; timing after
// Marquardt, Betz and Rose, FPGA 2000): half-perimeter wirelength, and delays weighted by how
// critical they are. A slice has four places; a place has a LUT, a flip-flop that this LUT alone
// feeds, and one other flip-flop. Flip-flops of a slice share clock enable and reset. What carries
// or remembers stays where it is. A slice takes in no more wires than the router brings there.
//
// Usage: refine PROBLEM RESULT SEED EFFORT PERIOD_PS. PROBLEM, numbers apart by white space:
//   SLICES, then for each: x y
//   NODES, then for each: kind set slice x y delay pins; kind 0 fixed and clocked, 1 fixed logic, 2 fixed
//     carry or multiplexer, 3 LUT, 4 LUT with its flip-flop, 5 flip-flop; set: what the flip-flops of
//     a slice share; slice: where the node stands, or -1 for fixed ones; x y: tile of fixed ones;
//     delay: in ps, through logic or from the clock; pins: inputs that wires lead to
//   NETS, then for each: pins node...; the first drives
// RESULT: for each node that is not fixed: slice place (0 to 3). Progress on standard output: a line
// "SHARE WIRELENGTH DELAY_PS" for each temperature.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <vector>

#include "refine_design.hpp"

namespace {

class Annealer {
 public:
  Annealer(Design& design, int seed, double effort, float period)
      : design_(design), rng_(seed), effort_(effort), period_(period) {
    for (size_t n = 0; n < design.nodes.size(); n++)
      if (design.nodes[n].movable()) movable_.push_back(static_cast<int>(n));
  }

  void run() {
    if (movable_.empty()) return;
    auto moves = static_cast<long>(effort_ * std::pow(movable_.size(), 4.0 / 3));
    int reach = std::min(START_REACH, design_.span());
    double heat = start(reach);
    for (int step = 0;; step++) {
      design_.take_stock(1 + 7.0 * (START_REACH - reach) / (START_REACH - 1), period_);
      long taken = 0;
      for (long m = 0; m < moves; m++) taken += move(heat, reach);
      double share = static_cast<double>(taken) / moves;
      std::printf("%.4f %.0f %.0f\n", share, design_.wirelength, design_.longest);
      std::fflush(stdout);
      if (heat <= 0) break;
      heat *= share > 0.96 ? 0.5 : share > 0.8 ? 0.9 : share > 0.15 ? 0.95 : 0.8;
      reach = std::clamp(static_cast<int>(std::lround(reach * (1 - 0.44 + share))), 1, START_REACH);
      if (heat < 0.005 / design_.net_count()) heat = 0;
    }
  }

 private:
  // Columns and rows that the first moves go: the design is placed already.
  static constexpr int START_REACH = 24;

  Design& design_;
  std::mt19937 rng_;
  double effort_;
  float period_;
  std::vector<int> movable_;
  std::vector<Design::Moved> moved_;

  // A temperature at which a part of the moves that make things worse is taken.
  double start(int reach) {
    design_.take_stock(1, period_);
    std::vector<double> worse;
    for (int m = 0; m < 20000; m++) {
      double change = 0;
      attempt(reach, [&](double by) { return change = by, false; });
      if (change > 0) worse.push_back(change);
    }
    if (worse.empty()) return 0;
    std::sort(worse.begin(), worse.end());
    return worse[worse.size() / 20];
  }

  bool move(double heat, int reach) {
    return attempt(reach, [&](double by) {
      return by <= 0 || (heat > 0 && std::uniform_real_distribution<>()(rng_) < std::exp(-by / heat));
    });
  }

  void note(int node) {
    if (node != FREE) moved_.push_back({node, design_.nodes[node].x, design_.nodes[node].y});
  }

  template <typename Decide>
  bool attempt(int reach, Decide decide) {
    const Node& node = design_.nodes[movable_[rng_() % movable_.size()]];
    int a = node.slice, i = node.place, b = design_.near(a, reach, reach, rng_), j = rng_() % PLACES;
    if (b < 0 || b == a) return false;
    bool whole = rng_() % 16 == 0;
    auto what = node.kind == REGISTER ? &Slice::side : &Slice::main;
    auto& slices = design_.slices;
    moved_.clear();
    if (whole) {
      for (int s : {a, b})
        for (int k = 0; k < PLACES; k++) note(slices[s].main[k]), note(slices[s].side[k]);
      design_.swap_slices(a, b);
    } else {
      note((slices[a].*what)[i]), note((slices[b].*what)[j]);
      if (!design_.swap(what, a, i, b, j)) return false;
    }
    if (decide(design_.change(moved_))) return design_.accept(), true;
    if (whole) design_.swap_slices(a, b);
    else design_.swap(what, a, i, b, j);
    return false;
  }
};

}  // namespace

int main(int count, char** words) {
  if (count != 6) return std::fprintf(stderr, "refine: needs five arguments\n"), 2;
  std::ifstream in(words[1]);
  if (!in) return std::fprintf(stderr, "refine: no %s\n", words[1]), 2;
  Design design(in);
  float period = std::strtof(words[5], nullptr);
  Annealer(design, std::atoi(words[3]), std::atof(words[4]), period).run();
  std::ofstream out(words[2]);
  for (const auto& n : design.nodes)
    if (n.movable()) out << n.slice << ' ' << n.place << '\n';
  return out ? 0 : 1;
}
