// Runs a function when the scope ends, unless cancelled. The function must not throw.
#pragma once

#include <utility>

namespace skiff {

template <typename Function>
class [[nodiscard]] ScopeExit {
 public:
  explicit ScopeExit(Function function) : function_(std::move(function)) {}
  ScopeExit(const ScopeExit&) = delete;
  ScopeExit& operator=(const ScopeExit&) = delete;
  ~ScopeExit() {
    if (is_armed_) function_();
  }
  void Cancel() { is_armed_ = false; }

 private:
  Function function_;
  bool is_armed_ = true;
};

}  // namespace skiff
