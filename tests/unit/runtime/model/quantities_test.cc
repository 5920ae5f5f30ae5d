#include "runtime/model/quantities.h"

#include <gtest/gtest.h>

namespace skiff::runtime {
namespace {

TEST(QuantitiesTest, CpuIsUnitsOrVcpus) {
  struct {
    std::string_view text;
    int64_t units;
  } cases[] = {{"256", 256},      {"1 vCPU", 1024},   {"1vcpu", 1024},    {".25 vCPU", 256},
               {"0.5 VCPU", 512}, {" 2 vCPU ", 2048}, {"0.125vCPU", 128}, {"192 vCPU", 196608}};
  for (const auto& [text, units] : cases) {
    Result<CpuUnits> cpu = ParseTaskCpu(text);
    ASSERT_TRUE(cpu.ok()) << text;
    EXPECT_EQ(cpu.value().count(), units) << text;
  }
}

TEST(QuantitiesTest, MemoryIsMibOrGb) {
  struct {
    std::string_view text;
    uint64_t mib;
  } cases[] = {{"512", 512}, {"1 GB", 1024}, {"0.5GB", 512}, {"30gb", 30720}, {"2.0 GB", 2048}};
  for (const auto& [text, mib] : cases) {
    Result<Bytes> memory = ParseTaskMemory(text);
    ASSERT_TRUE(memory.ok()) << text;
    EXPECT_EQ(memory.value(), Bytes::MiB(mib)) << text;
  }
}

TEST(QuantitiesTest, WhatIsNoAmountIsRefusedWithTheTextOfEcs) {
  for (std::string_view text :
       {"", "0", "-1", "+1", "abc", "1 CPU", "1.5", "vCPU", ". vCPU", "1. vCPU", "0 vCPU",
        "1 2 vCPU", "0.0001 vCPU", "0.12345678901 vCPU", "193 vCPU", "99999999999999999999",
        "0x100", "1e3"}) {
    Result<CpuUnits> cpu = ParseTaskCpu(text);
    ASSERT_FALSE(cpu.ok()) << text;
    EXPECT_EQ(
        cpu.error().message(),
        "Invalid 'cpu' setting for task. For more information, see the Troubleshooting section "
        "of the Amazon ECS Developer Guide.");
  }
  for (std::string_view text : {"", "0", "1 MB", "1 GiB", "GB", "99999999999 GB", "-1 GB"}) {
    Result<Bytes> memory = ParseTaskMemory(text);
    ASSERT_FALSE(memory.ok()) << text;
    EXPECT_TRUE(memory.error().message().starts_with("Invalid 'memory' setting for task."));
  }
}

}  // namespace
}  // namespace skiff::runtime
