#include "tools/skiff/layer_progress.h"

#include <unistd.h>

#include <algorithm>

#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

std::string Bar(uint64_t percent) {
  constexpr size_t kWidth = 25;
  size_t filled = static_cast<size_t>(percent) * kWidth / 100;
  return "[" + std::string(filled, '=') + std::string(kWidth - filled, ' ') + "]";
}

}  // namespace

void LayerProgress::Show(const images::ImportProgress& progress) {
  std::string line = Line(progress);
  bool is_bar = progress.step == images::ImportProgress::Step::kUnpacking;
  if (is_bar && !is_terminal_) return;
  std::string& known = is_bar ? bars_[progress.layer] : said_[progress.layer];
  if (line == known) return;
  known = line;
  if (!is_terminal_) return PrintError(line + "\n");
  if (!is_bar) bars_.erase(progress.layer);
  Draw(is_bar ? "" : line + "\n");
}

void LayerProgress::Clear() {
  bars_.clear();
  if (!drawn_.empty()) Draw("");
}

// The window may be another size than at the last drawing: lines that were one row each may take
// several by now, and are counted as the terminal shows them.
std::string LayerProgress::EraseDrawn(size_t columns) {
  size_t rows = 0;
  for (size_t length : drawn_) rows += std::max<size_t>(1, (length + columns - 1) / columns);
  drawn_.clear();
  return rows == 0 ? "" : "\033[" + std::to_string(rows) + "A\r\033[J";
}

void LayerProgress::Draw(const std::string& stays) {
  TerminalSize size = SizeOfTerminal(STDERR_FILENO);
  std::string screen = EraseDrawn(size.columns) + stays;
  for (const auto& [layer, bar] : bars_) {
    // What has scrolled away cannot be written over.
    if (drawn_.size() + 1 >= size.rows) break;
    std::string shown = bar.substr(0, size.columns - 1);
    screen += shown + "\n";
    drawn_.push_back(shown.size());
  }
  PrintError(screen);
}

std::string LayerProgress::Line(const images::ImportProgress& progress) const {
  using Step = images::ImportProgress::Step;
  std::string line =
      "layer " + std::to_string(progress.layer) + " of " + std::to_string(progress.layers) + ": ";
  uint64_t percent = progress.total == 0 ? 100 : progress.done * 100 / progress.total;
  switch (progress.step) {
    case Step::kWaiting:
      return line + "waiting for another pull";
    case Step::kPresent:
      return line + "present";
    case Step::kUnpacking:
      return line + Bar(percent) + " " + std::to_string(percent) + " % of " +
             FormatSize(progress.total);
    case Step::kUnpacked:
      return line + done_ + ", " + FormatSize(progress.total);
  }
  return line;
}

}  // namespace skiff::tools
