// The values of flags, from text to types. Errors say what was expected; the flag's name is put in
// front by the caller. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "isolation/base/bytes.h"
#include "isolation/base/result.h"
#include "runtime/model/container_definition.h"
#include "runtime/plan/task_plan.h"
#include "tools/skiff/options.h"

namespace skiff::tools {

// "NAME=value"; the value may be empty or hold further '='.
Result<runtime::KeyValue> ParseVariable(std::string_view text);

// "512" is MiB, as in a task definition; "512m", "1g", "1.5g" say their unit.
Result<Bytes> ParseMemory(std::string_view text);

// "nofile=1024" or "nofile=1024:4096"; "unlimited" or -1 for either number.
Result<runtime::Ulimit> ParseUlimit(std::string_view text);

// "8080:80" or "5353:53/udp".
Result<runtime::PublishedPortPlan> ParsePublish(std::string_view text);

// "always", "missing" or "never".
Result<PullPolicy> ParsePullPolicy(std::string_view text);

// "90s", "5m", "2h30m", "1d"; "500ms"; a bare number is seconds.
Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);

// A duration before `now`, or a time as RFC 3339 has it ("2026-01-31T12:00:00Z", fraction and
// offset allowed). Wall nanoseconds.
Result<int64_t> ParseSince(std::string_view text, int64_t now);

}  // namespace skiff::tools
