// Reads queries as Grafana's ClickHouse data source does: clickhouse-go behind database/sql, over HTTP, with gzip.
// Takes a JSON object on its standard input, and answers one JSON object a line for each query.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

type input struct {
	Address  string   `json:"address"`
	User     string   `json:"user"`
	Password string   `json:"password"`
	Database string   `json:"database"`
	Queries  []string `json:"queries"`
}

type output struct {
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"`
	Error   string   `json:"error,omitempty"`
}

func main() {
	var in input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	db := clickhouse.OpenDB(&clickhouse.Options{
		Addr:        []string{in.Address},
		Auth:        clickhouse.Auth{Database: in.Database, Username: in.User, Password: in.Password},
		Protocol:    clickhouse.HTTP,
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionGZIP},
		DialTimeout: 10 * time.Second,
		ReadTimeout: 60 * time.Second,
	})
	defer db.Close()
	answers := json.NewEncoder(os.Stdout)
	for _, query := range in.Queries {
		// The data source runs each within a time limit, which the driver hands on as max_execution_time.
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		out := output{Columns: []string{}, Rows: [][]any{}}
		if err := read(ctx, db, query, &out); err != nil {
			out.Error = err.Error()
		}
		cancel()
		if err := answers.Encode(out); err != nil {
			os.Exit(1)
		}
	}
}

func read(ctx context.Context, db *sql.DB, query string, out *output) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	for _, kind := range types {
		out.Columns = append(out.Columns, kind.Name())
	}
	for rows.Next() {
		into := make([]any, len(types))
		for i, kind := range types {
			into[i] = reflect.New(kind.ScanType()).Interface()
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		row := make([]any, len(into))
		for i, value := range into {
			row[i] = plain(reflect.ValueOf(value))
		}
		out.Rows = append(out.Rows, row)
	}
	return rows.Err()
}

// What JSON has a word for; instants as milliseconds since the epoch.
func plain(value reflect.Value) any {
	for value.Kind() == reflect.Pointer {
		if value.IsNil() {
			return nil
		}
		value = value.Elem()
	}
	if at, ok := value.Interface().(time.Time); ok {
		return at.UnixMilli()
	}
	if value.Kind() == reflect.Float64 && value.Float() != value.Float() {
		return nil
	}
	return value.Interface()
}
