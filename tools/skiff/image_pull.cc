#include "tools/skiff/image_pull.h"

#include <unistd.h>

#include <set>
#include <vector>

#include "images/reference.h"
#include "images/registry/pull.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

namespace registry = images::registry;

// One line a layer: at a terminal lines that are written over, otherwise one when it is done.
class PullProgress {
 public:
  explicit PullProgress(bool is_terminal) : is_terminal_(is_terminal) {}

  void Show(const images::ImportProgress& progress) {
    std::string line = Line(progress);
    bool is_percent = progress.step == images::ImportProgress::Step::kUnpacking;
    if (lines_.empty()) lines_.resize(progress.layers);
    std::string& known = lines_[progress.layer - 1];
    if (line == known || (is_percent && !is_terminal_)) return;
    known = line;
    if (!is_terminal_) return PrintError(line + "\n");
    // Over what was drawn before.
    std::string screen;
    if (is_drawn_) screen = "\033[" + std::to_string(lines_.size()) + "A";
    for (const std::string& text : lines_) screen += "\r\033[K" + text + "\n";
    is_drawn_ = true;
    PrintError(screen);
  }

 private:
  static std::string Line(const images::ImportProgress& progress) {
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
        return line + "pulled, " + FormatSize(progress.total);
    }
    return line;
  }
  static std::string Bar(uint64_t percent) {
    constexpr size_t kWidth = 25;
    size_t filled = static_cast<size_t>(percent) * kWidth / 100;
    return "[" + std::string(filled, '=') + std::string(kWidth - filled, ' ') + "]";
  }

  const bool is_terminal_;
  bool is_drawn_ = false;
  std::vector<std::string> lines_;
};

// An id names content, not a place to fetch it from.
bool HasPlace(const std::string& image) { return !image.starts_with("sha256:"); }

Result<bool> IsWanted(const images::ImageStore& store, const std::string& image,
                      PullPolicy policy) {
  if (policy == PullPolicy::kNever || !HasPlace(image)) return false;
  Result<images::Image> known = store.Resolve(image);
  if (!known.ok()) {
    if (known.error().code() != Code::kNotFound) return std::move(known).error();
    return true;
  }
  // A layer that is gone or damaged is made anew.
  Result<std::vector<UniqueFd>> held = store.Hold(known.value());
  if (!held.ok() && held.error().code() == Code::kNotFound) return true;
  // Digits of an id, and no name.
  bool is_id = known.value().id.hex().starts_with(image);
  return policy == PullPolicy::kAlways && !is_id;
}

}  // namespace

Result<registry::Settings> RegistrySettings(const std::string& host, bool is_verified) {
  registry::Settings settings = TRY(registry::LoadSettings());
  if (!is_verified) settings.registries[host].is_insecure = true;
  return settings;
}

Result<images::Image> PullImage(images::ImageStore& store, const ImagePull& options) {
  images::ImageReference reference = TRY(images::ImageReference::Parse(options.image));
  registry::PullOptions pull;
  if (options.platform) pull.platform = TRY(images::Platform::Parse(*options.platform));
  pull.auth_file = options.auth_file;
  pull.settings = TRY(RegistrySettings(reference.domain(), options.is_verified));
  PullProgress progress(IsTerminal(STDERR_FILENO));
  if (!options.is_quiet) {
    pull.progress = [&](const images::ImportProgress& step) { progress.Show(step); };
  }
  return registry::Pull(store, reference, pull);
}

Result<> PullImages(const RunDefinition& run, PullPolicy policy, const runtime::Roots& roots) {
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  std::set<std::string> seen;
  for (size_t i = 0; i < run.definition.containers.size(); ++i) {
    const std::string& image = run.definition.containers[i].image;
    if (!seen.insert(image).second) continue;
    bool is_wanted = TRY(IsWanted(store, image, policy));
    if (!is_wanted) continue;
    ImagePull options;
    options.image = image;
    Result<images::Image> pulled = PullImage(store, options);
    if (pulled.ok()) continue;
    if (run.is_image) return std::move(pulled).error();
    return std::move(pulled).error().Context("containerDefinitions[" + std::to_string(i) +
                                             "].image");
  }
  return {};
}

}  // namespace skiff::tools
