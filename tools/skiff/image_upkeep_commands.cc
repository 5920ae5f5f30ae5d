// skiff image tag, verify, du, prune
#include "images/collect.h"
#include "images/registry/repair.h"
#include "images/settings.h"
#include "images/store.h"
#include "isolation/base/clock.h"
#include "tools/skiff/commands.h"
#include "tools/skiff/exit_status.h"
#include "tools/skiff/image_names.h"
#include "tools/skiff/images_json.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

namespace registry = images::registry;

std::string Shown(const images::ImageHealth& health) { return FamiliarName(health.name); }

Result<bool> Repair(images::ImageStore* store, const images::ImageHealth& health,
                    const ImageVerify& options) {
  registry::RepairOptions repair;
  repair.auth_file = options.auth_file;
  repair.settings = TRY(registry::LoadSettings());
  images::StoreSettings of_store = TRY(images::LoadStoreSettings());
  repair.limits = of_store.limits;
  repair.layers = of_store.layers;
  Result<> repaired = registry::Repair(*store, health, repair);
  if (!repaired.ok()) {
    PrintError("skiff: " + Printable(repaired.error().message()) + "\n");
    return false;
  }
  Print(Shown(health) + ": repaired\n");
  return true;
}

// False: it is damaged, and stays so.
Result<bool> VerifyOne(images::ImageStore* store, const std::string& image,
                       const ImageVerify& options) {
  images::ImageHealth health = TRY(store->Verify(image));
  if (health.is_whole()) {
    Print(Shown(health) + ": whole\n");
    return true;
  }
  for (const std::string& line : health.damage) {
    Print(Printable(Shown(health) + ": " + line) + "\n");
  }
  if (!options.is_repairing) return false;
  return Repair(store, health, options);
}

Result<images::PruneReport> PruneByRules(images::ImageStore& store) {
  images::StoreSettings settings = TRY(images::LoadStoreSettings());
  return images::Collect(store, settings.collect, WallNanoseconds());
}

}  // namespace

Result<int> Carry(const ImageTag& options, const runtime::Roots& roots) {
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  images::Image image = TRY(store.Tag(options.image, options.name));
  Print(NamesOf(image) + " " + image.id.ToString() + "\n");
  return 0;
}

Result<int> Carry(const ImageVerify& options, const runtime::Roots& roots) {
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  std::vector<std::string> names = options.images;
  if (names.empty()) {
    std::vector<images::Image> list = TRY(store.List());
    for (const images::Image& image : list) names.push_back(image.id.ToString());
  }
  bool is_good = true;
  for (const std::string& name : names) {
    bool is_whole = TRY(VerifyOne(&store, name, options));
    is_good = is_good && is_whole;
  }
  return is_good ? 0 : kExitFailure;
}

Result<int> Carry(const ImageDu& options, const runtime::Roots& roots) {
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  images::StoreUsage usage = TRY(store.Usage());
  if (options.is_json) {
    Print(EncodeUsage(usage) + "\n");
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {
      {"IMAGE", "ID", "LAYERS", "SHARED", "KEPT", "OWN", "USED"}};
  for (const images::ImageUsage& image : usage.images) {
    std::string used = FormatAge(WallNanoseconds() - image.last_used) + " ago";
    rows.push_back({NamesOf(image.image), ShortId(image.image), FormatSize(image.image.size),
                    FormatSize(image.shared), FormatSize(image.kept), FormatSize(image.own),
                    image.is_in_use ? "now" : used});
  }
  Print(FormatTable(rows));
  Print("layers " + FormatSize(usage.layers) + ", kept files " + FormatSize(usage.kept) + "\n");
  return 0;
}

Result<int> Carry(const ImagePrune& options, const runtime::Roots& roots) {
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  bool has_choice = options.is_all || options.until || !options.labels.empty() || options.is_dry;
  if (options.drops_files + options.goes_by_rules + has_choice > 1) {
    return Error(Code::kInvalid, "--layer-files and --by-rules go with no other flag");
  }
  if (options.drops_files) {
    uint64_t freed = TRY(store.DropKeptFiles());
    Print("freed " + FormatSize(freed) + "\n");
    return 0;
  }
  images::PruneOptions prune;
  prune.takes_named = options.is_all;
  prune.unused_since = options.until.value_or(INT64_MAX);
  prune.labels = options.labels;
  prune.is_dry = options.is_dry;
  Result<images::PruneReport> pruned =
      options.goes_by_rules ? PruneByRules(store) : store.Prune(prune);
  images::PruneReport report = TRY(std::move(pruned));
  for (const images::ImageUsage& image : report.removed) {
    Print((options.is_dry ? "would remove " : "removed ") + NamesOf(image.image) + " " +
          image.image.id.ToString() + "\n");
  }
  Print((options.is_dry ? "would free " : "freed ") + FormatSize(report.freed) + "\n");
  return 0;
}

}  // namespace skiff::tools
