// The tree a layer becomes: finds the place of a name, makes the parents it lacks, and clears what
// stands in the way. Also the layers beneath, to look things up in. Private to images/. One thread;
// nobody else changes the tree meanwhile.
#pragma once

#include <sys/stat.h>
#include <time.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "images/directory_times.h"
#include "images/layer_sink.h"
#include "images/lower_layer.h"
#include "isolation/base/result.h"

namespace skiff::images {

inline constexpr char kOpaqueXattr[] = "trusted.overlay.opaque";

// Without "/" at either end, "." or "..": "" is the root. A name that climbs out is an error.
Result<std::string> CleanName(std::string_view name);
std::pair<std::string, std::string> SplitName(const std::string& clean);  // parent, last component

bool IsWhiteout(const struct stat& info);

// Attributes that steer overlayfs or the host's own security modules are not an image's to set.
bool IsForbiddenXattr(std::string_view name);

// The layers beneath, base first. Asked once, and only when a layer cannot be
// unpacked without them: they may still be at work, and the answer is then worth waiting for.
using LowerOpener = std::function<Result<std::vector<std::unique_ptr<LowerLayer>>>()>;

// The layers beneath, as overlayfs would merge them; symlinks are not followed.
class LowerLayers {
 public:
  explicit LowerLayers(LowerOpener opener) : opener_(std::move(opener)) {}
  struct Found {
    const LowerLayer* layer;  // borrowed
    struct stat info;
  };
  Result<std::optional<Found>> Find(const std::string& clean) const;
  Result<std::vector<std::string>> RootNames() const;

 private:
  Result<> Open() const;

  LowerOpener opener_;
  mutable bool is_open_ = false;
  mutable std::vector<std::unique_ptr<LowerLayer>> layers_;  // top first
};

class LayerTree {
 public:
  struct Place {
    int parent;  // borrowed from the tree until the next Locate
    std::string name;
    // The parent is of group 0 and hands on nothing else: what is made there belongs to root:root,
    // whatever mount options say. Unknown counts as not.
    bool is_parent_plain = false;
  };

  LayerTree(LayerSink* sink, const LowerLayers* lower)
      : sink_(*sink), root_(sink->root()), lower_(lower) {}

  // Where `clean` (not the root) belongs. Missing parents are made.
  Result<Place> Locate(const std::string& clean);
  // The directory `clean` itself, made when it is missing. Borrowed like Place::parent.
  Result<int> LocateDirectory(const std::string& clean);
  // Removes what stands at a place, if anything.
  Result<> Clear(const Place& place);
  // Somebody changed the group or mode of a directory.
  void ForgetDirectory() { current_name_.reset(); }
  // Owner, mode and attributes as the layers beneath have them, when they differ from 0755 root.
  Result<> InheritDirectory(const std::string& clean);

  Result<> RememberTime(const std::string& clean, const timespec& time);
  // Last of all: writing into a directory changes its time.
  Result<> ApplyTimes();

  int root() const { return root_; }
  bool relies_on_lower() const { return relies_on_lower_; }
  void RelyOnLower() { relies_on_lower_ = true; }
  // Of an attribute that a directory has: default ACLs change the modes of what is made in it.
  void NoteXattr(std::string_view name) { has_default_acls_ |= name == "system.posix_acl_default"; }
  bool has_default_acls() const { return has_default_acls_; }

 private:
  Result<std::string> MakeParents(const std::string& clean);
  Result<> StepInto(const std::string& component, std::string* resolved,
                    std::vector<std::string>* pending, size_t* symlinks);
  Result<> MakeImplicit(const std::string& resolved, bool is_opaque);

  LayerSink& sink_;
  int root_;
  const LowerLayers* lower_;
  bool relies_on_lower_ = false;
  bool has_default_acls_ = false;
  // Entries mostly follow in the directory of the one before.
  std::optional<std::string> current_name_;
  LayerHandle current_;
  bool is_current_plain_ = false;
  DirectoryTimes times_;
};

}  // namespace skiff::images
