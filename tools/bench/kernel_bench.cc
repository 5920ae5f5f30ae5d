// What the kernel objects of a task cost, each made and removed: as root, and in a sandbox
// (tools/bench/run functions). Everything made goes with the iteration or the run; names derive
// from a data root in a temporary directory.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "isolation/capabilities.h"
#include "isolation/cgroup.h"
#include "isolation/launch.h"
#include "isolation/overlay.h"
#include "isolation/seccomp.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "networking/network.h"

namespace skiff::bench {
namespace {

namespace fs = std::filesystem;

// A layer with the host's static busybox, and writable directories for one overlay.
class Root {
 public:
  Root() {
    path_ = fs::temp_directory_path() / "skiff-bench-XXXXXX";  // in $TMPDIR
    if (mkdtemp(path_.data()) == nullptr) abort();
    for (const char* name : {"layer/bin", "layer/etc", "layer/proc", "layer/dev", "layer/sys",
                             "upper", "work", "attach", "data"}) {
      fs::create_directories(path_ + "/" + name);
    }
    fs::copy_file("/bin/busybox", path_ + "/layer/bin/busybox");
    fs::create_symlink("busybox", path_ + "/layer/bin/true");
  }
  ~Root() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  std::string Path(const char* name) const { return path_ + "/" + name; }

  Result<UniqueFd> Mount() const {
    // A volatile overlay leaves a mark in its work directory and refuses it from then on.
    fs::remove_all(Path("work"));
    fs::create_directory(Path("work"));
    return isolation::MountOverlay({{Path("layer")}, Path("upper"), Path("work")});
  }

 private:
  std::string path_;
};

// Where a step of an iteration may end it with its own words.
template <typename T>
bool Check(benchmark::State& state, const Result<T>& result) {
  if (!result.ok()) state.SkipWithError(result.error().message().c_str());
  return result.ok();
}

void SeccompCompile(benchmark::State& state) {
  for (auto _ : state) {
    if (!Check(state, isolation::CompileDefaultSeccomp({}))) return;
  }
}
BENCHMARK(SeccompCompile);

void SeccompFromCache(benchmark::State& state) {
  Root root;
  for (auto _ : state) {
    if (!Check(state, isolation::LoadDefaultSeccomp({}, root.Path("data")))) return;
  }
}
BENCHMARK(SeccompFromCache);

void OverlayMount(benchmark::State& state) {
  Root root;
  for (auto _ : state) {
    if (!Check(state, root.Mount())) return;
  }
}
BENCHMARK(OverlayMount);

void CgroupCreateRemove(benchmark::State& state) {
  Result<isolation::CgroupHost> host = isolation::CgroupHost::Discover();
  if (!Check(state, host)) return;
  isolation::CgroupLimits limits{Bytes::MiB(64), std::nullopt, 50'000, 256, 100};
  for (auto _ : state) {
    std::vector<std::string> warnings;
    if (!Check(state, host.value().Create("skiff-functions-bench/task", limits, &warnings))) break;
    if (!Check(state, host.value().Remove("skiff-functions-bench/task"))) break;
  }
  host.value().Remove("skiff-functions-bench").Ignore();
}
BENCHMARK(CgroupCreateRemove)->UseRealTime();

void NetworkNamespaceMake(benchmark::State& state) {
  for (auto _ : state) {
    if (!Check(state, sys::MakeNetworkNamespace())) return;
  }
}
BENCHMARK(NetworkNamespaceMake)->UseRealTime()->Iterations(500);

void NetworkAttachDetach(benchmark::State& state) {
  Root root;
  Result<networking::Network> network = networking::Network::Open(root.Path("data"));
  if (!Check(state, network)) return;
  networking::NetworkPlan plan{"eni-0123456789abcdef0", {}, networking::kEthernetMtu};
  for (auto _ : state) {
    state.PauseTiming();
    Result<UniqueFd> netns = sys::MakeNetworkNamespace();
    state.ResumeTiming();
    if (!Check(state, netns)) break;
    if (!Check(state, network.value().Attach(plan, netns.value().get()))) break;
    networking::Detachment detached = network.value().Detach(plan);
    if (!detached.errors.empty()) {
      state.SkipWithError(detached.errors.front().message().c_str());
      break;
    }
  }
  network.value().RemoveSubnet().Ignore();
}
BENCHMARK(NetworkAttachDetach)->UseRealTime()->Iterations(200);

// Clone to exit of true with everything an ordinary container has; the root is made before.
void LaunchTrue(benchmark::State& state) {
  Root root;
  Result<isolation::SeccompProgram> program = isolation::CompileDefaultSeccomp({});
  Result<UniqueFd> null = sys::Open(AT_FDCWD, "/dev/null", O_RDWR);
  if (!Check(state, program) || !Check(state, null)) return;
  for (auto _ : state) {
    state.PauseTiming();
    Result<UniqueFd> mounted = root.Mount();
    if (!Check(state, mounted)) return;
    isolation::ContainerSpec spec;
    spec.arguments = {"/bin/true"};
    spec.environment = {"PATH=/bin"};
    spec.capabilities = isolation::SetsForUser(isolation::DefaultCapabilities(), true);
    spec.seccomp = &program.value();
    spec.root_mount = mounted.value().get();
    spec.attach_point = root.Path("attach");
    AddStandardFilesystems(&spec);
    for (int& fd : spec.standard_fds) fd = null.value().get();
    state.ResumeTiming();
    Result<isolation::Launched> launched = isolation::Launch(spec, nullptr, nullptr);
    if (!Check(state, launched)) return;
    if (!Check(state, sys::WaitPidfd(launched.value().process.pidfd.get(), true))) return;
  }
}
BENCHMARK(LaunchTrue)->UseRealTime()->Iterations(300);

}  // namespace
}  // namespace skiff::bench
