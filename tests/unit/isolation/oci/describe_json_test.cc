// What `features` tells is what the parser takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "isolation/oci/config.h"
#include "isolation/oci/container.h"
#include "isolation/oci/describe.h"

namespace skiff::isolation::oci {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::IsEmpty;

json Example() {
  json config = json::parse(ExampleConfig(false, 0, 0, false));
  config["root"]["path"] = "/rootfs";
  return config;
}

// The error, or "".
std::string Refusal(const json& config) {
  Result<Config> parsed = ParseConfig(config.dump());
  if (!parsed.ok()) return parsed.error().message();
  for (const std::string& warning : parsed.value().warnings) return warning;
  Result<ContainerPlan> plan = PlanContainer(parsed.value(), "/bundle", "id");
  return plan.ok() ? "" : plan.error().message();
}

TEST(OciFeaturesTest, EveryNameThatIsToldIsTaken) {
  json features = json::parse(DescribeFeatures());
  json section = features["linux"];
  auto expect_taken = [](const json& names, auto set) {
    EXPECT_THAT(names, testing::Not(IsEmpty()));
    for (const json& name : names) {
      json config = Example();
      set(name, &config);
      EXPECT_EQ(Refusal(config), "") << name;
    }
  };
  for (const char* version : {"ociVersionMin", "ociVersionMax"}) {
    json config = Example();
    config["ociVersion"] = features[version];
    EXPECT_EQ(Refusal(config), "");
  }
  expect_taken(features["hooks"], [](const json& name, json* config) {
    (*config)["hooks"][name.get<std::string>()] = {{{"path", "/bin/true"}}};
    Hooks hooks = ParseConfig(config->dump()).value().hooks;
    size_t count = 0;
    for (const auto& list : {hooks.prestart, hooks.create_runtime, hooks.create_container,
                             hooks.start_container, hooks.poststart, hooks.poststop})
      count += list.size();
    EXPECT_EQ(count, 1U) << name;
  });
  expect_taken(section["namespaces"], [](const json& name, json* config) {
    (*config)["linux"]["namespaces"] = {{{"type", "mount"}}, {{"type", "uts"}}};
    if (name == "mount" || name == "uts") return;
    (*config)["linux"]["namespaces"].push_back({{"type", name}});
    if (name == "user")
      (*config)["linux"]["uidMappings"] =
          (*config)["linux"]["gidMappings"] = {{{"containerID", 0}, {"hostID", 1000}, {"size", 1}}};
  });
  expect_taken(section["capabilities"], [](const json& name, json* config) {
    (*config)["process"]["capabilities"]["bounding"] = json::array({name});
  });
  auto seccomp = [](json* config) -> json& {
    json& profile = (*config)["linux"]["seccomp"];
    profile = {{"defaultAction", "SCMP_ACT_ALLOW"},
               {"syscalls", {{{"names", {"mkdir"}}, {"action", "SCMP_ACT_LOG"}}}}};
    return profile;
  };
  const json& filter = section["seccomp"];
  expect_taken(filter["actions"], [&](const json& name, json* config) {
    json& profile = seccomp(config);
    profile["syscalls"][0]["action"] = name;
    if (name == "SCMP_ACT_NOTIFY") profile["listenerPath"] = "/run/agent.sock";
  });
  expect_taken(filter["operators"], [&](const json& name, json* config) {
    seccomp(config)["syscalls"][0]["args"] = {{{"index", 0}, {"value", 1}, {"op", name}}};
  });
  expect_taken(filter["archs"], [&](const json& name, json* config) {
    seccomp(config)["architectures"] = json::array({name});
  });
  expect_taken(filter["supportedFlags"], [&](const json& name, json* config) {
    seccomp(config)["flags"] = json::array({name});
  });
  for (const json& flag : filter["supportedFlags"])
    EXPECT_THAT(filter["knownFlags"], Contains(flag));
  expect_taken(section["memoryPolicy"]["modes"], [](const json& name, json* config) {
    (*config)["linux"]["memoryPolicy"] = {{"mode", name}};
  });
  expect_taken(section["memoryPolicy"]["flags"], [](const json& name, json* config) {
    (*config)["linux"]["memoryPolicy"] = {{"mode", "MPOL_BIND"}, {"flags", {name}}};
  });
  expect_taken(features["mountOptions"], [](const json& name, json* config) {
    json mount = {
        {"destination", "/x"}, {"type", "bind"}, {"source", "/y"}, {"options", {"rbind", name}}};
    if (name == "idmap" || name == "ridmap")
      mount["uidMappings"] =
          mount["gidMappings"] = {{{"containerID", 0}, {"hostID", 1000}, {"size", 1}}};
    if (name == "tmpcopyup")
      mount = {{"destination", "/x"}, {"type", "tmpfs"}, {"options", {name}}};
    (*config)["mounts"].push_back(mount);
  });
}

TEST(OciFeaturesTest, IntelRdtIsToldAsItIs) {
  json section = json::parse(DescribeFeatures())["linux"];
  EXPECT_EQ(section["intelRdt"],
            json({{"enabled", false}, {"schemata", false}, {"monitoring", false}}));
  json config = Example();
  config["linux"]["intelRdt"] = {{"closID", "x"}};
  EXPECT_NE(Refusal(config), "");
  EXPECT_EQ(section["netDevices"], json({{"enabled", true}}));
  config = Example();
  config["linux"]["netDevices"] = {{"eth0", json::object()}};
  EXPECT_EQ(Refusal(config), "");
}

}  // namespace
}  // namespace skiff::isolation::oci
