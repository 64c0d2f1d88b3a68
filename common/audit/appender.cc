#include "common/audit/appender.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>

#include "common/audit/schema.h"
#include "common/audit/text.h"

namespace gatehouse::audit {

namespace {

constexpr size_t kMaxWriterName = 40;

enum HeadStatement : size_t { kSelectHead, kSelectLastPosition, kUpsertHead };

// The name becomes part of a file name.
Result<void> check_writer_name(const std::string& writer) {
  const auto fine = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  if (writer.empty() || writer.size() > kMaxWriterName || !std::all_of(writer.begin(), writer.end(), fine)) {
    return fail("writer name \"{}\": 1 to {} of a-z 0-9 - _ wanted", storable_text(writer), kMaxWriterName);
  }
  return {};
}

Result<Fd> lock_writer(const std::string& path, const std::string& writer) {
  const std::string lock_path = fmt::format("{}.{}.lock", path, writer);
  Fd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return fail_errno("cannot open {}", lock_path);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) return fail("a live process already writes as \"{}\"", writer);
  return fail_errno("cannot lock {}", lock_path);
}

// Creates the file, so that it is never there with more than 0600. An existing one is not opened here: closing a second
// descriptor would drop the POSIX locks SQLite holds on it for the whole process.
Result<void> create_private(const std::string& path) {
  const Fd created(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (created) return {};
  if (errno != EEXIST) return fail_errno("cannot create");
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return fail_errno("cannot look at it");
  if ((found.st_mode & 077) != 0) return fail("others may read or write it; chmod 600 it first");
  return {};
}

}  // namespace

Result<Appender::OpenedFile> Appender::OpenedFile::remember(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return fail_errno("{}", path);
  return OpenedFile{path, found.st_dev, found.st_ino};
}

Result<void> Appender::OpenedFile::still_there() const {
  auto now = remember(path);
  if (!now) return failed(now, "the log is gone");
  if (now->device != device || now->inode != inode) return fail("the log was replaced by another file: {}", path);
  return {};
}

Result<Appender> Appender::open(const AuditLog::Options& options) {
  if (auto named = check_writer_name(options.writer); !named) return failed(named);
  if (auto created = create_private(options.path); !created) return failed(created, options.path);
  auto lock = lock_writer(options.path, options.writer);
  if (!lock) return failed(lock, options.path);
  auto database = Database::open(options.path, Database::Mode::read_write);
  if (!database) return failed(database);

  Appender appender(std::move(*lock), std::move(*database));
  appender.path_ = options.path;
  appender.writer_ = options.writer;
  auto session = create_or_check_schema(appender.database_, storable_text(options.session));
  if (!session) return failed(session, options.path);
  appender.session_ = std::move(*session);
  if (auto limited = appender.limit(options.max_bytes); !limited) return failed(limited, options.path);
  if (auto prepared = appender.prepare(); !prepared) return failed(prepared, options.path);
  return appender;
}

// The limit is this connection's and is not stored in the file. A page that is there already is never refused.
Result<void> Appender::limit(int64_t max_bytes) {
  auto page_bytes = database_.query_integer("PRAGMA page_size");
  if (!page_bytes) return failed(page_bytes);
  max_bytes_ = max_bytes;
  return database_.execute(fmt::format("PRAGMA max_page_count={}", std::max<int64_t>(max_bytes / *page_bytes, 1)));
}

Result<void> Appender::prepare() {
  // NORMAL in WAL mode: COMMIT hands the row to the kernel (write(2), no fsync), so it survives the death of any
  // process, SIGKILL included. fsync comes at checkpoints only: a power cut or kernel crash may lose the last commits,
  // never tear or reorder them, and the chain up to what is left still holds.
  if (auto set = database_.execute("PRAGMA synchronous=NORMAL"); !set) return failed(set);
  for (const Table* table : tables()) {
    auto statement = database_.prepare(insert_sql(*table));
    if (!statement) return failed(statement);
    inserts_.push_back(std::move(*statement));
  }
  for (const char* sql :
       {"SELECT seq, hash FROM chain_heads WHERE writer = ?1", "SELECT coalesce(max(position), 0) FROM chain_heads",
        "INSERT INTO chain_heads(writer, seq, hash, position) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(writer)"
        " DO UPDATE SET seq = excluded.seq, hash = excluded.hash, position = excluded.position"}) {
    auto statement = database_.prepare(sql);
    if (!statement) return failed(statement);
    head_statements_.push_back(std::move(*statement));
  }
  if (auto head = read_head(); !head) return failed(head);  // opens the -wal file, which is remembered next
  for (const auto& path : {path_, path_ + "-wal"}) {
    auto file = OpenedFile::remember(path);
    if (!file) return failed(file);
    files_.push_back(std::move(*file));
  }
  database_.watch_log();
  auto checkpointer = Checkpointer::open(path_);
  if (!checkpointer) return failed(checkpointer);
  checkpointer_ = std::move(*checkpointer);
  return {};
}

void Appender::tidy() {
  switch (pace_.after_commit(database_.log_pages())) {
    case CheckpointPace::Due::now:
      return checkpointer_->checkpoint();
    case CheckpointPace::Due::soon:
      return checkpointer_->wake();
    case CheckpointPace::Due::no:
      return;
  }
}

// Read anew in every transaction: whether a failed COMMIT reached the file is for the file to say.
Result<Appender::Head> Appender::read_head() {
  Head head{0, 0, genesis_hash(session_, writer_)};
  Statement& select = head_statements_[kSelectHead];
  const Value writer = writer_;
  select.bind(1, writer);
  auto row = select.step();
  if (!row) return failed(row);
  if (*row) {
    head.seq = select.integer(0);
    head.hash = select.bytes(1);
    select.reset();
  }
  Statement& last = head_statements_[kSelectLastPosition];
  auto position = last.step();
  if (!position) return failed(position);
  head.position = last.integer(0);
  last.reset();
  return head;
}

Result<void> Appender::write_head(const Head& head) {
  Statement& upsert = head_statements_[kUpsertHead];
  const Value writer = writer_;
  upsert.bind(1, writer);
  upsert.bind(2, head.seq);
  upsert.bind_blob(3, head.hash);
  upsert.bind(4, head.position);
  if (auto done = upsert.step(); !done) return failed(done);
  return {};
}

// On success `head` is moved on to the row.
Result<void> Appender::insert(Row& row, Head& head) {
  row.values[kPosition] = head.position + 1;
  row.values[kSession] = session_.session;
  row.values[kWriter] = writer_;
  row.values[kSeq] = head.seq + 1;
  std::string hash = next_hash(head.hash, row);

  const auto table = std::find(tables().begin(), tables().end(), row.table) - tables().begin();
  Statement& statement = inserts_[static_cast<size_t>(table)];
  int parameter = 0;
  for (const auto& value : row.values) statement.bind(++parameter, value);
  statement.bind_blob(++parameter, hash);
  if (auto done = statement.step(); !done) return failed(done);
  head = {head.seq + 1, head.position + 1, std::move(hash)};
  return {};
}

Result<void> Appender::append_all(std::vector<Row>& rows, std::vector<Result<void>>& results) {
  for (const auto& file : files_) {
    if (auto there = file.still_there(); !there) return failed(there);
  }
  auto transaction = Transaction::begin(database_, Transaction::Kind::write);
  if (!transaction) return failed(transaction);
  auto head = read_head();
  if (!head) return failed(head);
  const int64_t before = head->position;
  for (size_t i = 0; i < rows.size(); ++i) {
    results[i] = insert(rows[i], *head);
    if (!results[i] && !database_.failed_on_row()) return failed(results[i]);
  }
  if (head->position == before) return {};  // every row was refused
  if (auto done = write_head(*head); !done) return failed(done);
  return transaction->commit();
}

std::vector<Result<void>> Appender::append(std::vector<Row>& rows) {
  std::vector<Result<void>> results(rows.size());
  if (auto done = append_all(rows, results); !done) {
    if (database_.failed_on_room()) {
      done = fail("{}: the disk is full, or the log has reached its limit of {} bytes", done.error().message(),
                  max_bytes_);
    }
    for (auto& result : results) result = failed(done, path_);
  }
  return results;
}

}  // namespace gatehouse::audit
