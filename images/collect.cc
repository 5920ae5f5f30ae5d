#include "images/collect.h"

#include <algorithm>
#include <utility>

#include "images/store_files.h"
#include "isolation/sys/file.h"

namespace skiff::images {
namespace {

int64_t Before(int64_t now, std::chrono::nanoseconds age) { return now - age.count(); }

class Collector {
 public:
  Collector(ImageStore& store, const CollectRules& rules, int64_t now)
      : store_(store), rules_(rules), now_(now) {}

  Result<PruneReport> Run() {
    TRY(Prune({.unused_since = Youngest(rules_.nameless)}));
    if (rules_.unused.count() > 0) {
      TRY(Prune(
          {.takes_named = true, .only_pulled = true, .unused_since = Youngest(rules_.unused)}));
    }
    if (rules_.images > 0) TRY(PruneByCount());
    if (rules_.disk_percent > 0) TRY(PruneByDisk());
    return std::move(report_);
  }

 private:
  // Whatever the rule, not what was used a moment ago: its task may be about to start.
  int64_t Youngest(std::chrono::nanoseconds age) const {
    return Before(now_, std::max<std::chrono::nanoseconds>(age, rules_.least_unused));
  }

  Result<> Prune(const PruneOptions& options) {
    PruneReport report = TRY(store_.Prune(options));
    report_.freed += report.freed;
    for (ImageUsage& image : report.removed) report_.removed.push_back(std::move(image));
    return {};
  }

  Result<> PruneByCount() {
    StoreUsage usage = TRY(store_.Usage());
    uint64_t pulled = static_cast<uint64_t>(
        std::count_if(usage.images.begin(), usage.images.end(),
                      [](const ImageUsage& image) { return image.image.is_pulled; }));
    if (pulled <= rules_.images) return {};
    uint64_t left = pulled - rules_.images;
    return Prune({.takes_named = true,
                  .only_pulled = true,
                  .unused_since = Youngest({}),
                  .is_enough = [&left] { return left-- == 0; }});
  }

  Result<> PruneByDisk() {
    int root = store_.files().root();
    uint64_t used = TRY(sys::FilesystemUsedPercent(root));
    if (used <= rules_.disk_percent) return {};
    return Prune(
        {.takes_named = true, .only_pulled = true, .unused_since = Youngest({}), .is_enough = [&] {
           // A disk that does not say is not a reason to remove more.
           return sys::FilesystemUsedPercent(root).ValueOr(0) <= rules_.disk_goal_percent;
         }});
  }

  ImageStore& store_;
  const CollectRules& rules_;
  const int64_t now_;
  PruneReport report_;
};

}  // namespace

Result<PruneReport> Collect(ImageStore& store, const CollectRules& rules, int64_t now) {
  return Collector(store, rules, now).Run().Context("image store: collect");
}

}  // namespace skiff::images
