// skiff image ...
#include <fcntl.h>
#include <unistd.h>

#include "images/settings.h"
#include "images/store.h"
#include "isolation/base/clock.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "tools/skiff/commands.h"
#include "tools/skiff/image_names.h"
#include "tools/skiff/image_pull.h"
#include "tools/skiff/images_json.h"
#include "tools/skiff/layer_progress.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

// Standard input as a file that can be sought in.
Result<UniqueFd> SpoolInput(const std::string& directory) {
  if (IsTerminal(STDIN_FILENO)) {
    return Error(Code::kInvalid, "standard input is a terminal: name a file with -i");
  }
  UniqueFd file = TRY(sys::OpenUnnamed(AT_FDCWD, directory));
  std::string buffer(1 << 20, '\0');
  for (;;) {
    size_t size = TRY(sys::Read(STDIN_FILENO, buffer.data(), buffer.size()));
    if (size == 0) return file;
    TRY(sys::WriteAll(file.get(), std::string_view(buffer).substr(0, size), "standard input"));
  }
}

Result<images::ExportFormat> FormatOf(const std::string& text) {
  if (text == "oci-archive") return images::ExportFormat::kOciArchive;
  if (text == "docker-archive") return images::ExportFormat::kDockerArchive;
  if (text == "oci") return images::ExportFormat::kOciLayout;
  return Error(Code::kInvalid, "format '" + text + "': no such format");
}

}  // namespace

Result<int> Carry(const ImageImport& options, const runtime::Roots& roots) {
  images::ImportOptions wanted;
  wanted.name = options.name;
  if (options.platform) wanted.platform = TRY(images::Platform::Parse(*options.platform));
  LayerProgress progress("imported", true);
  if (CanRedraw(STDERR_FILENO)) {
    wanted.progress = [&](const images::ImportProgress& step) { progress.Show(step); };
  }
  images::StoreSettings settings = TRY(images::LoadStoreSettings());
  wanted.keeps_files = options.keeps_files.value_or(settings.keeps_layer_files);
  wanted.limits = settings.limits;
  wanted.completes_files = options.keeps_files.value_or(false);
  wanted.layers = LayersOf(options.layers, settings);
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  std::string path = options.path;
  UniqueFd spooled;
  if (path.empty()) {
    spooled = TRY(SpoolInput(roots.data));
    path = "/proc/self/fd/" + std::to_string(spooled.get());
  }
  Result<images::Image> image = store.Import(path, wanted);
  progress.Clear();
  if (!image.ok()) return std::move(image).error();
  Print(NamesOf(image.value()) + " " + image.value().id.ToString() + "\n");
  return 0;
}

Result<int> Carry(const ImageExport& options, const runtime::Roots& roots) {
  images::ExportFormat format = TRY(FormatOf(options.format));
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  if (!options.output.empty()) {
    TRY(store.Export(options.images, options.output, format));
    return 0;
  }
  if (IsTerminal(STDOUT_FILENO)) {
    return Error(Code::kInvalid, "standard output is a terminal: name a file with -o");
  }
  TRY(store.Export(options.images, STDOUT_FILENO, format));
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
