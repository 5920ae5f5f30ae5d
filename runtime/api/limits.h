// The limits of the API, and what is fixed about this host. Those marked ECS are the service's own.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace skiff::runtime::api {

inline constexpr int64_t kMaxRunTaskCount = 10;         // ECS
inline constexpr size_t kMaxDescribedTasks = 100;       // ECS
inline constexpr size_t kMaxProtectedTasks = 10;        // ECS: of one UpdateTaskProtection
inline constexpr size_t kMaxStrategyItems = 6;          // ECS
inline constexpr int64_t kMaxStrategyWeight = 1000;     // ECS
inline constexpr int64_t kMaxStrategyBase = 100000;     // ECS
inline constexpr size_t kMaxSubnets = 16;               // ECS
inline constexpr size_t kMaxSecurityGroups = 5;         // ECS
inline constexpr size_t kMaxStartedByLength = 128;      // ECS
inline constexpr size_t kMaxStopReasonLength = 1024;    // ECS
inline constexpr size_t kMaxClientTokenLength = 64;     // ECS
inline constexpr size_t kMaxTaskIdLength = 36;          // ECS: of the ids it ever gave out
inline constexpr size_t kMaxListPage = 100;             // ECS, and its default
inline constexpr size_t kMaxEntriesScanned = 1000;      // of the index, for one page of ListTasks
inline constexpr int64_t kMaxProtectionMinutes = 2880;  // ECS
inline constexpr int64_t kDefaultProtectionMinutes = 120;  // ECS

inline constexpr size_t kMaxRenderedTasks = 4096;          // some 3 KiB each
inline constexpr int kMaxWriteAttempts = 16;               // against the agent, which writes seldom
inline constexpr std::chrono::hours kClientTokenLife{24};  // ECS
inline constexpr size_t kMaxClientTokenBytes = 16 << 10;
inline constexpr size_t kTokensLookedAt = 2;

inline constexpr size_t kMaxIdentifierLength = 255;  // ECS
inline constexpr size_t kMaxNamespaceLength = 1024;
inline constexpr size_t kMaxDeletedDefinitions = 10;  // ECS: of one DeleteTaskDefinitions
inline constexpr size_t kMaxAttributes = 10;          // ECS: of one target, and of one call
inline constexpr size_t kMaxAttributeText = 128;      // ECS: name and value
inline constexpr std::chrono::hours kDeletedDefinitionLife{1};
inline constexpr size_t kMaxTags = 50;       // ECS: of one resource
inline constexpr size_t kMaxTagKey = 128;    // ECS
inline constexpr size_t kMaxTagValue = 256;  // ECS

// The gate's.
inline constexpr std::chrono::minutes kMaxClockSkew{15};        // AWS
inline constexpr std::chrono::hours kMaxPresignedLife{7 * 24};  // AWS
inline constexpr size_t kMaxSignedHeaders = 100;
inline constexpr size_t kMaxFormFields = 1000;
inline constexpr size_t kMaxKeys = 1000;
inline constexpr size_t kMaxStatements = 100;  // of one key

inline constexpr std::string_view kPlatformVersion = "1.4.0";
inline constexpr std::string_view kDefaultSubnet = "subnet-default";
inline constexpr std::string_view kDefaultSecurityGroup = "sg-default";

}  // namespace skiff::runtime::api
