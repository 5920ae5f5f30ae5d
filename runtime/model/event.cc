#include "runtime/model/event.h"

#include "runtime/model/event_names.h"

namespace skiff::runtime {

std::string_view StopCodeName(StopCode code) { return NameIn(kStopCodeNames, code); }

std::optional<StopCode> ParseStopCode(std::string_view name) {
  return ValueIn(kStopCodeNames, name);
}

std::string_view EventTypeName(EventType type) { return NameIn(kEventTypeNames, type); }

}  // namespace skiff::runtime
