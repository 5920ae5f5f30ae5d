// The built skiff-oci on a busybox bundle, as podman or a person would call it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "isolation/base/text.h"
#include "isolation/cgroup.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "tests/support/busybox_root.h"
#include "tests/support/capability.h"

namespace skiff::isolation::oci {

struct Finished {
  int code = -1;
  std::string output;
};

class OciRunTest : public testing::Test {
 protected:
  OciRunTest();
  void SetUp() override;
  // Nothing of a container outlives its run, however it ended.
  void TearDown() override;
  std::string StateRoot() const { return bundle_.path() + "/state"; }

  sys::Process Start(const std::vector<std::string>& flags, int output);
  Finished Run(const std::vector<std::string>& flags = {});
  void WriteConfig();
  Finished Command(const std::vector<std::string>& arguments);
  std::string Status();
  // A detached container that runs `script`.
  void Begin(const std::string& script);
  // The host's side of the container's /shared.
  std::string SharedDirectory();
  Finished Script(const std::string& script, const std::vector<std::string>& flags = {});

  std::optional<CgroupHost> host_;
  std::unique_ptr<skiff::test::BusyboxRoot> busybox_;
  skiff::test::TempDir bundle_;
  std::string id_;
  std::vector<std::string> environment_;  // of skiff-oci, for Command
  std::shared_ptr<nlohmann::json> holder_;
  nlohmann::json& config_;  // as `runc spec` writes it, without a terminal
};

}  // namespace skiff::isolation::oci
