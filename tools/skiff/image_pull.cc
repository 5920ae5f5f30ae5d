#include "tools/skiff/image_pull.h"

#include <unistd.h>

#include <set>
#include <vector>

#include "images/reference.h"
#include "images/registry/pull.h"
#include "images/settings.h"
#include "tools/skiff/layer_progress.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

namespace registry = images::registry;

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

images::LayerChoice LayersOf(const std::optional<std::string>& option,
                             const images::StoreSettings& settings) {
  if (!option) return settings.layers;
  return images::LayerChoiceByName(*option).value_or(settings.layers);
}

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
  images::StoreSettings of_store = TRY(images::LoadStoreSettings());
  pull.keeps_files = options.keeps_files.value_or(of_store.keeps_layer_files);
  pull.limits = of_store.limits;
  pull.completes_files = options.keeps_files.value_or(false);
  pull.layers = LayersOf(options.layers, of_store);
  pull.settings = TRY(RegistrySettings(reference.domain(), options.is_verified));
  LayerProgress progress("pulled", CanRedraw(STDERR_FILENO));
  if (!options.is_quiet) {
    pull.progress = [&](const images::ImportProgress& step) { progress.Show(step); };
  }
  Result<images::Image> image = registry::Pull(store, reference, pull);
  progress.Clear();
  return image;
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
