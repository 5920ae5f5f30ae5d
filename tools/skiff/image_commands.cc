// skiff image ...
#include <unistd.h>

#include "images/store.h"
#include "isolation/base/clock.h"
#include "tools/skiff/commands.h"
#include "tools/skiff/image_names.h"
#include "tools/skiff/images_json.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

// One line that is written over, and gone at the end: for people at a terminal only.
void ShowProgress(const images::ImportProgress& progress) {
  using Step = images::ImportProgress::Step;
  if (progress.step == Step::kPresent || progress.step == Step::kWaiting) return;
  uint64_t percent = progress.total == 0 ? 100 : progress.done * 100 / progress.total;
  PrintError("\r\033[Klayer " + std::to_string(progress.layer) + " of " +
             std::to_string(progress.layers) + ": " + std::to_string(percent) + " % of " +
             FormatSize(progress.total));
}

}  // namespace

Result<int> Carry(const ImageImport& options, const runtime::Roots& roots) {
  images::ImportOptions import;
  import.name = options.name;
  if (options.platform) import.platform = TRY(images::Platform::Parse(*options.platform));
  bool is_shown = IsTerminal(STDERR_FILENO);
  if (is_shown) import.progress = ShowProgress;
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  Result<images::Image> image = store.Import(options.path, import);
  if (is_shown) PrintError("\r\033[K");
  if (!image.ok()) return std::move(image).error();
  Print(NamesOf(image.value()) + " " + image.value().id.ToString() + "\n");
  return 0;
}

Result<int> Carry(const ImageList& options, const runtime::Roots& roots) {
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  std::vector<images::Image> list = TRY(store.List());
  if (options.is_json) {
    Print(EncodeImages(list) + "\n");
    return 0;
  }
  std::vector<std::vector<std::string>> rows;
  if (!options.is_quiet) rows.push_back({"IMAGE", "ID", "PLATFORM", "SIZE", "IMPORTED"});
  for (const images::Image& image : list) {
    if (options.is_quiet) {
      rows.push_back({image.id.ToString()});
      continue;
    }
    rows.push_back({NamesOf(image), ShortId(image),
                    image.is_damaged ? "damaged" : image.config.platform.ToString(),
                    FormatSize(image.size),
                    FormatAge(WallNanoseconds() - image.imported) + " ago"});
  }
  Print(FormatTable(rows));
  return 0;
}

Result<int> Carry(const ImageInspect& options, const runtime::Roots& roots) {
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  images::Image image = TRY(store.Resolve(options.image));
  images::ImageDocuments documents = TRY(store.Inspect(options.image));
  std::string text = TRY(EncodeImage(image, documents));
  Print(text + "\n");
  return 0;
}

// Each one is tried, whatever became of the others; the first failure counts.
Result<int> Carry(const ImageRemove& options, const runtime::Roots& roots) {
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  std::optional<Error> first;
  for (const std::string& name : options.images) {
    Result<> removed = store.Remove(name);
    if (removed.ok()) {
      Print("removed " + Printable(name) + "\n");
      continue;
    }
    if (!first) {
      first = std::move(removed).error();
    } else {
      PrintError("skiff: image remove: " + Printable(removed.error().message()) + "\n");
    }
  }
  if (first) return std::move(*first);
  return 0;
}

}  // namespace skiff::tools
