#include "images/import.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "images/decompress.h"
#include "images/image_files.h"
#include "images/image_selection.h"
#include "images/inflation_guard.h"
#include "images/intake.h"
#include "images/limits.h"
#include "images/reference.h"

namespace skiff::images {
namespace {

// Layers are the unit of parallel work, and the processors what there is to share.
size_t Parallel() { return std::max<size_t>(1, std::thread::hardware_concurrency()); }

Result<std::string> NameOf(const SelectedImage& image, const std::optional<ImageReference>& given) {
  if (given) return given->Canonical();
  // By the rules of OCI a name without a colon is only a tag, and says nothing of what.
  if (image.name.find_first_of(":/") == std::string::npos) {
    return Error(Code::kInvalid, "the file does not say what it is called: give it a --name");
  }
  ImageReference name =
      TRY(ImageReference::Parse(image.name).Context("the file's own name (--name overrides it)"));
  return name.Canonical();
}

Result<std::vector<IntakeLayer>> LayersOf(const ImageFiles& source, const SelectedImage& image,
                                          std::vector<ImageFiles::Member>* members) {
  std::vector<IntakeLayer> layers;
  for (size_t i = 0; i < image.layers.size(); ++i) {
    const SelectedLayer& selected = image.layers[i];
    std::string what = "layer " + std::to_string(i + 1);
    if (selected.expected) what += " (" + selected.expected->digest.ToString() + ")";
    ImageFiles::Member member = TRY(source.Find(selected.file).Context(what));
    if (selected.expected && selected.expected->size != member.size) {
      return Error(Code::kInvalid, what + ": size is " + std::to_string(member.size) +
                                       ", the manifest says " +
                                       std::to_string(selected.expected->size));
    }
    IntakeLayer layer{image.config.diff_ids[i], selected.expected, member.size, {}};
    layer.open = [fd = member.fd, offset = member.offset,
                  size = member.size]() -> Result<std::unique_ptr<ByteSource>> {
      return std::unique_ptr<ByteSource>(std::make_unique<FileSource>(fd, offset, size));
    };
    layers.push_back(std::move(layer));
    members->push_back(std::move(member));
  }
  return layers;
}

Result<uint64_t> PlainSize(const ImageFiles::Member& member) {
  FileSource file(member.fd, member.offset, member.size);
  CountingSource packed(&file);
  std::unique_ptr<DecompressedSource> inflated = TRY(DecompressedSource::Open(&packed));
  if (inflated->compression() == Compression::kNone) return member.size;
  InflationGuard plain(inflated.get(), &packed, kMaxLayer);
  TRY(Drain(&plain));
  return plain.count();
}

// A docker archive has no manifest; the one we write names the layers uncompressed, whatever the
// archive did, so that the same image always gets the same one.
Result<std::string> ManifestOf(const SelectedImage& image, const Intake& intake,
                               const std::vector<ImageFiles::Member>& members) {
  if (!image.manifest_text.empty()) return image.manifest_text;
  Manifest written;
  written.config = {kOciConfigType, image.id, image.config_text.size(), {}, "", ""};
  for (size_t i = 0; i < members.size(); ++i) {
    std::optional<uint64_t> size = intake.plain_size(i);
    if (!size) size = TRY(PlainSize(members[i]).Context("layer " + std::to_string(i + 1)));
    written.layers.push_back({kOciLayerType, image.config.diff_ids[i], *size, {}, "", ""});
  }
  return EncodeManifest(written);
}

}  // namespace

Result<Image> ImportImage(const StoreFiles& files, const std::string& path,
                          const ImportOptions& options) {
  std::optional<ImageReference> name;
  if (options.name) name = TRY(ImageReference::Parse(*options.name));
  if (name && name->digest()) {
    return Error(Code::kInvalid,
                 "image name '" + *options.name + "': a name with a digest cannot be given away");
  }
  std::unique_ptr<Intake> intake =
      TRY(Intake::Begin(files, {.parallel = Parallel(),
                                .keeps_files = options.keeps_files,
                                .completes_files = options.completes_files,
                                .layers = options.layers,
                                .limits = options.limits,
                                .progress = options.progress}));
  ImageFiles source = TRY(ImageFiles::Open(path, intake->staging(), intake->room()));
  SelectedImage image = TRY(SelectImage(source, name, options.platform.value_or(HostPlatform())));
  IntakeDocuments documents{image.id, image.config_text, "", ""};
  documents.name = TRY(NameOf(image, name));
  std::vector<ImageFiles::Member> members;
  std::vector<IntakeLayer> layers = TRY(LayersOf(source, image, &members));
  TRY(intake->AddLayers(std::move(layers)));
  documents.manifest = TRY(ManifestOf(image, *intake, members));
  return intake->Commit(documents);
}

}  // namespace skiff::images
