// SQLite's C interface as owning types, for sqlite_store.cc alone. Private to runtime/store.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>

#include "isolation/base/result.h"

namespace skiff::runtime {

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

// SQLite's words for the last failure, with a code callers can act on.
Error DatabaseError(sqlite3* database, int status, std::string_view what);

// A prepared statement, used again and again: Bind, Step until false, then Reset (also by Run).
class Statement {
 public:
  static Result<Statement> Prepare(sqlite3* database, const char* sql);

  void Bind(int place, std::string_view text);  // borrowed until Reset
  void Bind(int place, uint64_t number);
  Result<bool> Step();  // true: a row is there
  Result<> Run();       // to the end, then Reset
  void Reset();

  std::string Text(int column) const;
  uint64_t Number(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

Result<> Execute(sqlite3* database, const char* sql);

}  // namespace skiff::runtime
