// Archives that try to reach what is beside their layer, as they could in docker cp, umoci,
// containerd and containers/storage (CVE-2018-15664, CVE-2021-29136, CVE-2021-32760,
// CVE-2024-9676).
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <filesystem>

#include "tests/kernel/images/unpack_fixture.h"
#include "tests/support/layout_builder.h"
#include "tests/support/tar_builder.h"

namespace skiff::images {
namespace {

using test::TarBuilder;

class UnpackBreakoutTest : public UnpackTest {};

INSTANTIATE_TEST_SUITE_P(Kinds, UnpackBreakoutTest,
                         testing::Values(LayerKind::kUnpacked, LayerKind::kErofs),
                         [](const auto& kind) {
                           return kind.param == LayerKind::kErofs ? "Image" : "Directory";
                         });

// Each tries to reach the canary directory beside the layer.
struct Breakout {
  const char* what;
  TarBuilder tar;
  const char* inside;  // where the attempt ended up instead; nullptr: it was refused
};

// `outside` is the canary's absolute path; the layer stands beside it.
std::vector<Breakout> Breakouts(const std::string& outside) {
  std::string up = "../canary";
  auto tar = [] { return TarBuilder(); };
  return {
      {"absolute name", tar().File(outside + "/x"), ""},
      {"name that climbs", tar().File("../canary/x"), nullptr},
      {"symlink up", tar().Symlink("l", up).File("l/x"), "canary/x"},
      {"symlink far up", tar().Symlink("l", "../../../../../../.." + outside).File("l/x"), ""},
      {"absolute symlink", tar().Symlink("l", outside).File("l/x"), ""},
      {"chain of symlinks",
       tar().Symlink("a", "..").Symlink("b", "a/canary").Symlink("c", "b").File("c/x"), "canary/x"},
      {"symlink inside a directory", tar().Symlink("d/l", "../../canary").File("d/l/x"),
       "canary/x"},
      {"symlink ending in a slash", tar().Symlink("l", outside + "/").File("l/x"), ""},
      {"symlink to the file itself", tar().Symlink("f", outside + "/file").File("f", "evil"), "f"},
      {"directory through a symlink", tar().Symlink("l", up).Directory("l/d/", 0700), "canary/d"},
      {"directory over a symlink", tar().Symlink("l", up).Directory("l/", 0700).File("l/x"), "l/x"},
      {"symlink through a symlink", tar().Symlink("l", up).Symlink("l/s", "y"), "canary/s"},
      {"fifo through a symlink", tar().Symlink("l", up).Add({.name = "l/p", .type = '6'}),
       "canary/p"},
      {"whiteout through a symlink", tar().Symlink("l", up).File("l/.wh.file"), "canary/file"},
      {"opaque through a symlink", tar().Symlink("l", up).File("l/.wh..wh..opq"), "canary"},
      {"whiteout of the parent", tar().File(".wh..."), nullptr},
      {"whiteout of a symlink", tar().Symlink("l", outside + "/file").File(".wh.l"), "l"},
      {"hard link that climbs", tar().HardLink("h", "../canary/file"), nullptr},
      {"absolute hard link", tar().HardLink("h", outside + "/file"), nullptr},
      {"hard link through a symlink", tar().Symlink("l", up).HardLink("h", "l/file"), nullptr},
      {"hard link to a symlink, then written",
       tar().Symlink("s", outside + "/file").HardLink("h", "s").File("h", "evil"), "h"},
      {"hard link to a symlink, then owned",
       tar()
           .Symlink("s", outside + "/file")
           .Add({.name = "h", .type = '1', .link = "s", .mode = 0777, .uid = 99}),
       "h"},
      {"hard link into a symlinked place",
       tar().File("mine").Symlink("l", up).HardLink("l/h", "mine"), "canary/h"},
      {"parent replaced by a symlink in between",
       tar().Directory("d/").File("d/one").Symlink("d", up).File("d/two"), "canary/two"},
      {"times of a directory replaced by a symlink", tar().Directory("d/").Symlink("d", up), "d"},
      {"dead symlink as a parent", tar().Symlink("l", "../canary/none").File("l/x"),
       "canary/none/x"},
      {"symlink to procfs", tar().Symlink("l", "/proc/self/cwd").File("l/x"), "proc/self/cwd/x"},
  };
}

TEST_P(UnpackBreakoutTest, NothingReachesTheDirectoryBeside) {
  std::string outside = temp_.path() + "/canary";
  size_t count = Breakouts(outside).size();
  for (size_t i = 0; i < count; ++i) {
    std::filesystem::remove_all(outside);
    std::filesystem::create_directory(outside);
    EmptyRoot();
    test::WriteTestFile(outside + "/file", "canary");
    Breakout breakout = std::move(Breakouts(outside)[i]);
    SCOPED_TRACE(breakout.what);
    UniqueFd events(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    constexpr uint32_t kChanges = IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVE |
                                  IN_OPEN | IN_ACCESS | IN_DELETE_SELF;
    ASSERT_GE(inotify_add_watch(events.get(), outside.c_str(), kChanges), 0);
    ASSERT_GE(inotify_add_watch(events.get(), (outside + "/file").c_str(), kChanges), 0);

    Result<UnpackedLayer> layer = Unpack(breakout.tar);

    char buffer[4096];
    EXPECT_EQ(read(events.get(), buffer, sizeof(buffer)), -1) << "the canary was touched";
    EXPECT_EQ(Slurp(outside + "/file"), "canary");
    EXPECT_EQ(layer.ok(), breakout.inside != nullptr)
        << (layer.ok() ? "was unpacked" : layer.error().message());
    if (breakout.inside == nullptr || !layer.ok()) continue;
    std::string inside = breakout.inside;
    if (inside.empty()) inside = outside.substr(1) + "/x";
    EXPECT_TRUE(Exists(inside)) << inside;
  }
}

}  // namespace
}  // namespace skiff::images
